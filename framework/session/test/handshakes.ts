import type { GenerationRef } from '@rystra/kernel'
import type { Authenticator, PeerInfo } from '@rystra/plugin'
import type { RystraError } from '@rystra/model'
import { FrameDecoder, type Message } from '@rystra/protocol'
import type { Duplex } from 'node:stream'
import { type Admitted, authenticateClient, authenticateToServer, type DataLinkOffered } from '../src/index.js'
import type { ClientAuthenticated } from '../src/handshake-client.js'
import { generation, pair, registryOf, sessionInfo, word } from './fakes.js'

export const never = new AbortController().signal

export interface Setting {
  readonly server?: GenerationRef
  readonly authenticators?: Record<string, Authenticator>
  readonly clientMuxers?: string[]
  readonly serverMuxers?: string[]
  readonly serverSignal?: AbortSignal
  readonly clientSignal?: AbortSignal
  /** The other end as each of the two sees it. */
  readonly peer?: PeerInfo
}

export const serverSide = (
  stream: Duplex,
  {
    server = generation(),
    serverMuxers = ['yamux', 'direct'],
    serverSignal = never,
    peer = sessionInfo.peer
  }: Setting = {}
) =>
  authenticateClient(stream, {
    generation: server,
    peer,
    transport: 'memory',
    agent: 'server/1',
    muxers: serverMuxers,
    signal: serverSignal
  })

export const clientSide = (
  stream: Duplex,
  {
    authenticators = { word: word('open sesame') },
    clientMuxers = ['yamux'],
    clientSignal = never,
    peer = sessionInfo.peer
  }: Setting = {}
) =>
  authenticateToServer(stream, {
    offer: { id: 'nas', instance: 'i', agent: 'client/1', muxers: clientMuxers },
    authenticators: registryOf(authenticators),
    peer,
    signal: clientSignal
  })

export const welcome = (admitted: Admitted | DataLinkOffered, confirm = 'confirm open sesame'): void => {
  if (admitted.type !== 'session') throw new Error('not a session')
  admitted.welcome({
    session: 's1',
    identity: 'home',
    confirm: Buffer.from(confirm),
    heartbeat: 15_000,
    limits: { proxies: 1, streams: 1 }
  })
}

/** Both ends to the end: the errors of those that fail. */
export const both = async (setting: Setting = {}, confirm?: string) => {
  const [near, far] = pair()
  const [server, client] = await Promise.allSettled([
    serverSide(far, setting).then((admitted) => {
      welcome(admitted, confirm)
      return admitted
    }),
    clientSide(near, setting)
  ])
  return {
    near,
    far,
    server: server.status === 'rejected' ? (server.reason as RystraError) : (server.value as Admitted),
    client: client.status === 'rejected' ? (client.reason as RystraError) : (client.value as ClientAuthenticated)
  }
}

export const codes = ({ server, client }: { server: unknown; client: unknown }) => [
  (server as RystraError).code,
  (client as RystraError).code
]

/** The messages in what a server said. */
export const messagesOf = (bytes: Buffer): Message[] => {
  const decoder = new FrameDecoder()
  decoder.push(bytes)
  const messages: Message[] = []
  for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message)
  return messages
}
