import { fingerprintOf, selfSigned } from '@rystra/certificates'
import type { RystraConfig } from '@rystra/config'
import muxYamux from '@rystra/mux-yamux'
import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportTls from '@rystra/transport-tls'
import transportWs from '@rystra/transport-ws'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export type Uses = NonNullable<RystraConfig['extensions']>

/** What carries a session. */
export interface Carrier {
  readonly transport: string
  /** Absent where the transport multiplexes by itself. */
  readonly muxer?: 'yamux' | 'direct'
  /** Whether the native part of yamux is off. */
  readonly script?: true
  readonly secure?: true
}

/** Each way in which a session can be carried. */
export const carriers: readonly Carrier[] = [
  { transport: 'tcp', muxer: 'yamux' },
  { transport: 'tcp', muxer: 'yamux', script: true },
  { transport: 'tcp', muxer: 'direct' },
  { transport: 'tls', muxer: 'yamux', secure: true },
  { transport: 'tls', muxer: 'direct', secure: true },
  { transport: 'ws', muxer: 'yamux' },
  { transport: 'ws', muxer: 'direct' },
  { transport: 'h2c' },
  { transport: 'http2', secure: true },
  { transport: 'quic', secure: true }
]

export const nameOf = ({ transport, muxer, script }: Carrier): string =>
  `${transport}, ${muxer ?? 'native'}${script === true ? ' without its native part' : ''}`

const makers: Readonly<Record<string, () => Uses[number]>> = {
  tls: () => transportTls(),
  ws: () => transportWs(),
  h2c: () => transportHttp2(),
  http2: () => transportHttp2(),
  quic: () => transportQuic()
}

/** The extensions that a carrier needs, at either end. */
export const usesOf = ({ transport, script }: Carrier): Uses => [
  ...(makers[transport] === undefined ? [] : [makers[transport]()]),
  ...(script === true ? [muxYamux({ native: false })] : [])
]

/** A certificate in files. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
  readonly fingerprint: string
}

const make = async (): Promise<CertificateFiles> => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-ends-'))
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  const made = await selfSigned({ keyType: 'ec', commonName: 'ends', names: ['127.0.0.1'] })
  const [cert, key] = [path.join(dir, 'cert.pem'), path.join(dir, 'key.pem')]
  writeFileSync(cert, made.cert)
  writeFileSync(key, made.key)
  return { cert, key, fingerprint: fingerprintOf(made.cert) }
}

let files: Promise<CertificateFiles> | undefined

/** One for all carriers. */
export const certificateFiles = (): Promise<CertificateFiles> => {
  files ??= make()
  return files
}

export const listenOn = ({ transport, secure }: Carrier, { cert, key }: CertificateFiles) => ({
  transport,
  host: '127.0.0.1',
  port: 0,
  ...(secure === true ? { cert, key } : {})
})

export const connectTo = ({ transport, muxer, secure }: Carrier, port: number, { fingerprint }: CertificateFiles) => ({
  transport,
  host: '127.0.0.1',
  port,
  ...(muxer === undefined ? {} : { muxer }),
  ...(secure === true ? { fingerprint } : {})
})
