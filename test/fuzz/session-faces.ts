import authToken from '@rystra/auth-token'
import { issuePeer, type KeyPair, makeAuthority } from '@rystra/certificates'
import { clusterMemory, MemoryDirectory } from '@rystra/cluster-memory'
import { Kernel } from '@rystra/kernel'
import { authenticateClient, authenticateToServer } from '@rystra/session'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import type net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { certificateName, dialingPeer } from '../../framework/cluster/src/peer-identity.js'
import type { Face } from './face.js'
import { linkMessages, tlsMessages } from './messages.js'
import { sessionMessages } from './session-messages.js'

const offer = () => ({ id: `fuzz-${randomUUID()}`, instance: 'fuzz', agent: 'fuzz', muxers: ['yamux'] })
const local = { address: '127.0.0.1', port: 0 }
const TIMEOUT_MS = 3000

const registriesOf = async (side: 'client' | 'server', token: string) => {
  const kernel = new Kernel({ side })
  await kernel.provision([authToken({ token, tokens: [{ identity: 'fuzz', token }] } as never)])
  return kernel.current.registries
}

/** Shakes hands on a connection, which is closed when that fails: a data link may come where a session was expected. */
const afterHandshake = async (connect: () => Promise<net.Socket>, shake: (socket: net.Socket) => Promise<unknown>) => {
  const socket = (await connect()).on('error', () => {})
  try {
    await shake(socket)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** A client with a valid token, hostile behind its handshake. */
export const sessionFace = async (token: string, connect: () => Promise<net.Socket>): Promise<Face> => {
  const { authenticators } = await registriesOf('client', token)
  return {
    name: 'session',
    messages: sessionMessages('client'),
    connect: () =>
      afterHandshake(connect, (socket) => {
        const signal = AbortSignal.timeout(TIMEOUT_MS)
        return authenticateToServer(socket, { offer: offer(), authenticators, peer: local, signal })
      })
  }
}

/** A server that a client has a token for, hostile behind its handshake. */
export const servingFace = async (token: string, connect: () => Promise<net.Socket>): Promise<Face> => {
  const { authenticators } = await registriesOf('server', token)
  return {
    name: 'dial-session',
    messages: sessionMessages('server'),
    connect: () =>
      afterHandshake(connect, async (socket) => {
        const outcome = await authenticateClient(socket, {
          generation: {
            calls: {
              hello: () => Promise.resolve(undefined),
              auth: async ({ proof, challenge, peer }) =>
                (await authenticators.get('token').verify?.(proof, challenge, peer)) ?? { deny: 'no proof' }
            },
            registries: { authenticators }
          },
          peer: local,
          transport: 'tcp',
          agent: 'fuzz',
          muxers: ['yamux'],
          signal: AbortSignal.timeout(TIMEOUT_MS)
        })
        if (outcome.type === 'data') throw new Error('a data link')
        const { confirm } = outcome.accepted
        outcome.welcome({
          session: randomUUID(),
          identity: 'fuzz',
          ...(confirm === undefined ? {} : { confirm }),
          heartbeat: 60_000,
          limits: { proxies: 100, streams: 100 }
        })
      })
  }
}

/** A server's part in a cluster, and faces of its port for other members. */
export class PeerWorld {
  readonly extension = clusterMemory(new MemoryDirectory())
  readonly #folder: string
  readonly #port: number
  #ca: KeyPair | undefined
  #rogue: KeyPair | undefined

  constructor(dir: string, port: number) {
    this.#folder = path.join(dir, 'cluster')
    this.#port = port
  }

  /** Writes certificates. Resolves with `server.cluster`. */
  async config(): Promise<object> {
    const ca = await makeAuthority({ commonName: 'fuzz', keyType: 'ec' })
    const issue = (name: string): Promise<KeyPair> =>
      issuePeer(ca, { commonName: name, names: [certificateName(name)], keyType: 'ec' })
    const own = await issue('fuzz')
    this.#ca = ca
    this.#rogue = await issue('rogue')
    mkdirSync(this.#folder)
    const files = { ca: ca.cert, cert: own.cert, key: own.key }
    const write = ([field, pem]: [string, string]): [string, string] => {
      const file = path.join(this.#folder, `${field}.pem`)
      writeFileSync(file, pem)
      return [field, file]
    }
    const written = Object.fromEntries(Object.entries(files).map(write))
    return { name: 'fuzz', directory: 'memory', host: '127.0.0.1', port: this.#port, ...written }
  }

  async faces(connected: (port: number) => Promise<net.Socket>): Promise<Face[]> {
    const connect = () => connected(this.#port)
    const secured = async (): Promise<tls.TLSSocket> => {
      const below = await connect()
      const servername = certificateName('fuzz')
      const { cert, key } = this.#rogue as KeyPair
      const socket = tls.connect({
        socket: below,
        servername,
        ca: this.#ca?.cert,
        cert,
        key,
        ALPNProtocols: ['rystra/1']
      })
      await once(socket, 'secureConnect')
      return Object.assign(socket, { below })
    }
    return [
      { name: 'peer', messages: await tlsMessages(certificateName('fuzz'), ['rystra/1']), connect },
      { name: 'peer-inside', messages: linkMessages, connect: secured },
      {
        name: 'peer-session',
        messages: sessionMessages('client'),
        connect: () =>
          afterHandshake(secured, (socket) => {
            const certificate = (socket as tls.TLSSocket).getPeerX509Certificate()?.toString() ?? ''
            return authenticateToServer(socket, {
              offer: { ...offer(), id: 'rogue' },
              authenticators: dialingPeer({ cluster: 'rystra', to: 'fuzz' }, 'rogue'),
              peer: { ...local, tls: { certificate } } as never,
              signal: AbortSignal.timeout(TIMEOUT_MS)
            })
          })
      }
    ]
  }
}
