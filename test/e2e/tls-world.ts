import transportTls from '@rystra/transport-tls'
import { issueClient, issueServer, type KeyPair, makeAuthority, revoke, selfSigned } from '@rystra/certificates'
import type { Client } from '@rystra/client'
import { isRystraError, type RystraError } from '@rystra/model'
import type { Server } from '@rystra/server'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import type { FakeClock } from '@rystra/testkit'
import { cleanUp, later, makeClient, preset as plain, startClient, startServer } from './tunnel.js'

export const preset = [...plain, transportTls]

export interface Made {
  readonly ca: KeyPair
  readonly server: KeyPair
  readonly renewed: KeyPair
  readonly relay: KeyPair
  readonly expired: KeyPair
  readonly otherName: KeyPair
  readonly alone: KeyPair
  readonly client: KeyPair
  readonly revoked: KeyPair
  readonly crl: string
}
export let made: Made
export let dir: string

export const write = (name: string, text: string): string => {
  writeFileSync(path.join(dir, name), text)
  return name
}
export const pair = (name: string, { cert, key }: KeyPair): { cert: string; key: string } => ({
  cert: write(`${name}.crt`, cert),
  key: write(`${name}.key`, key)
})

/** A clock that tests push: the server looks at its files by it. Heartbeats and deadlines stand still. */
export const serve = (listen: Record<string, unknown>, clock?: FakeClock): Promise<Server> =>
  startServer({ listen: [{ transport: 'tls', host: '127.0.0.1', port: 0, ...listen }] }, [], {
    preset,
    dir,
    stateDir: path.join(dir, 'state'),
    ...(clock === undefined ? {} : { clock })
  })

export const connect = (port: number, dial: Record<string, unknown>, muxer = 'yamux') => ({
  connect: { transport: 'tls', host: '127.0.0.1', port, muxer, ...dial }
})

export const join = (port: number, dial: Record<string, unknown>, service: number, muxer = 'yamux'): Promise<Client> =>
  startClient(port, [{ name: 'echo', kind: 'tcp', local: service }], connect(port, dial, muxer), [], { preset, dir })

export const refusal = async (port: number, dial: Record<string, unknown>): Promise<RystraError> => {
  const client = await makeClient(port, [], { ...connect(port, dial), reconnect: { attempts: 0 } }, [], { preset, dir })
  const error = await client.start().then(
    () => new Error('it was accepted'),
    (thrown: unknown) => thrown
  )
  if (!isRystraError(error)) throw error
  return error
}

/** Joins two connections, shows `onData` what they carry, and destroys them at the end of the test. */
const forward = (near: net.Socket, far: net.Socket, onData: (chunk: Buffer) => void): void => {
  for (const [from, to] of [
    [near, far],
    [far, near]
  ] as const) {
    from.on('error', () => to.destroy())
    from.on('data', (chunk: Buffer) => {
      onData(chunk)
      to.write(chunk)
    })
    from.on('end', () => to.end())
    later(() => from.destroy())
  }
}

const listening = async (hop: net.Server): Promise<number> => {
  hop.listen(0, '127.0.0.1')
  await once(hop, 'listening')
  later(() => hop.close())
  return (hop.address() as net.AddressInfo).port
}

/** Forwards bytes, and keeps all of them. */
export const recorder = async (target: number): Promise<{ port: number; seen: () => Buffer }> => {
  const chunks: Buffer[] = []
  const hop = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ host: '127.0.0.1', port: target, allowHalfOpen: true })
    forward(near, far, (chunk) => chunks.push(chunk))
  })
  return { port: await listening(hop), seen: () => Buffer.concat(chunks) }
}

/** Ends TLS with a certificate of its own, and begins it anew towards the server: a relay in between. */
export const tlsRelay = async (
  target: number,
  own: KeyPair,
  ca: string
): Promise<{ port: number; relayed: () => number }> => {
  let relayed = 0
  const hop = tls.createServer({ ...own, ALPNProtocols: ['rystra/1'] }, (near) => {
    const far = tls.connect({ host: '127.0.0.1', port: target, ca, ALPNProtocols: ['rystra/1'] })
    forward(near, far, ({ length }) => {
      relayed += length
    })
  })
  return { port: await listening(hop), relayed: () => relayed }
}

/** Certificates and a folder for the tests of a group. */
export const fixture = (): void => {
  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rystra-e2e-tls-'))
    const year = 365 * 86_400_000
    const ca = await makeAuthority({ keyType: 'ec', commonName: 'e2e', notBefore: new Date(Date.now() - 2 * year) })
    const names = ['localhost', '127.0.0.1']
    const old = { notBefore: new Date(Date.now() - year), days: 10 }
    const [server, renewed, relay, expired, otherName, alone, client, revoked] = await Promise.all([
      issueServer(ca, { keyType: 'ec', commonName: 'localhost', names }),
      issueServer(ca, { keyType: 'ec', commonName: 'localhost', names }),
      issueServer(ca, { keyType: 'ec', commonName: 'localhost', names }),
      issueServer(ca, { keyType: 'ec', commonName: 'localhost', names, ...old }),
      issueServer(ca, { keyType: 'ec', commonName: 'other.example' }),
      selfSigned({ keyType: 'ec', commonName: 'localhost', names }),
      issueClient(ca, { keyType: 'ec', commonName: 'client' }),
      issueClient(ca, { keyType: 'ec', commonName: 'client that was' })
    ])
    const crl = await revoke(ca, [revoked.cert])
    made = { ca, server, renewed, relay, expired, otherName, alone, client, revoked, crl }
    write('ca.pem', ca.cert)
  })

  afterEach(cleanUp)

  after(() => rmSync(dir, { recursive: true, force: true }))
}
