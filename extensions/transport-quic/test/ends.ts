import { fingerprintOf, type KeyPair, selfSigned } from '@rystra/certificates'
import { SharedPorts } from '@rystra/net'
import type { Listener, ListenOptions, Side, StreamLink, Transport } from '@rystra/plugin'
import { FakeClock, setUpExtension } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportQuic from '../src/index.js'

type Options = Parameters<typeof transportQuic>[0]

/** Everything a test started, ended in reverse by {@link cleanUp}. */
const started: (() => unknown)[] = []

export const later = (end: () => unknown): void => void started.push(end)

export const cleanUp = async (): Promise<void> => {
  for (const end of started.splice(0).reverse()) await end()
}

/** A folder that is gone after the test. */
export const folder = (files: Readonly<Record<string, string>> = {}): string => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-quic-'))
  later(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text)
  return dir
}

export const transport = (side: Side, dir: string, options: Options = {}, clock = new FakeClock()): Transport =>
  setUpExtension(transportQuic(options), side, { dir, stateDir: dir, clock }).registered('transports')[0] as Transport

export const pairOf = (() => {
  let pair: Promise<KeyPair> | undefined
  return (): Promise<KeyPair> => (pair ??= selfSigned({ keyType: 'ec', commonName: 'test', names: ['localhost'] }))
})()

/** A listener, and what has come to it. */
export interface Listening {
  readonly listener: Listener
  readonly port: number
  readonly links: StreamLink[]
  onLink: (link: StreamLink) => void
  readonly dir: string
  readonly clock: FakeClock
  /** Fields of a dial that trusts it. */
  readonly trust: { fingerprint: string }
}

export const startListening = async (
  options: Options = {},
  fields: Readonly<Record<string, unknown>> = {},
  files: Readonly<Record<string, string>> = {},
  port = 0
): Promise<Listening> => {
  const pair = await pairOf()
  const dir = folder({ 'cert.pem': pair.cert, 'key.pem': pair.key, ...files })
  const links: StreamLink[] = []
  const to: ListenOptions = { transport: 'quic', host: '127.0.0.1', port, cert: 'cert.pem', key: 'key.pem', ...fields }
  const clock = new FakeClock()
  const listening = {
    clock,
    links,
    dir,
    onLink: (_link: StreamLink): void => {},
    trust: { fingerprint: fingerprintOf(pair.cert) }
  }
  const listener = await transport('server', dir, options, clock).listen(
    to,
    (link) => {
      if (link.kind !== 'streams') throw new Error('quic carries streams')
      later(() => link.destroy())
      links.push(link)
      listening.onLink(link)
    },
    new AbortController().signal,
    new SharedPorts()
  )
  later(() => listener.close())
  return Object.assign(listening, { listener, port: listener.address.port })
}

export const dialTo = async (
  client: Transport,
  port: number,
  fields: Readonly<Record<string, unknown>>,
  signal = new AbortController().signal
): Promise<StreamLink> => {
  const link = await client.dial({ transport: 'quic', host: '127.0.0.1', port, ...fields }, signal)
  if (link.kind !== 'streams') throw new Error('quic carries streams')
  later(() => link.destroy())
  return link
}

export { until } from '@rystra/testkit'
