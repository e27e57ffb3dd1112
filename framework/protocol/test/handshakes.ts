import type { RystraError } from '@rystra/model'
import { ClientHandshake, type Fields, FrameDecoder, type Message, type Offer, ServerHandshake } from '@rystra/protocol'
import type { Acceptance } from '../src/server-handshake.js'

export const offer: Offer = {
  id: 'home-nas',
  instance: 'b3f1c2d4',
  agent: 'rystra/0.1.0',
  muxers: ['yamux', 'direct'],
  auth: ['token'],
  features: ['datagrams', 'resume']
}
export const acceptance: Acceptance = {
  muxer: 'direct',
  method: 'token',
  agent: 'rystra/0.1.0',
  features: ['resume', 'other']
}
export const proof = new Uint8Array(32).fill(7)
export const granted: Fields<'AuthOk'> = {
  session: 's-1',
  identity: 'home',
  heartbeat: 15000,
  limits: { proxies: 256, streams: 10000 }
}

export const opening = (): Uint8Array => new ClientHandshake(offer).start()

export const lastOf = <Request>(
  handshake: { push(piece: Uint8Array): Request | undefined },
  pieces: Iterable<Uint8Array>
) => {
  let last: Request | undefined
  for (const piece of pieces) {
    const memory = new Uint8Array(piece)
    last = handshake.push(memory) ?? last
    memory.fill(0xa5)
  }
  return last
}

export const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return (error as RystraError).code
  }
  return 'nothing was thrown'
}

export const messageIn = (frame: Uint8Array | undefined): Message | undefined => {
  const decoder = new FrameDecoder()
  decoder.push(frame ?? new Uint8Array())
  return decoder.next()
}

/** Both ends up to the point named. */
export const upTo = (point: 'hello' | 'challenge' | 'auth') => {
  const client = new ClientHandshake(offer)
  const server = new ServerHandshake()
  server.push(client.start())
  if (point === 'hello') return { client, server }
  client.push(server.accept(acceptance))
  if (point === 'challenge') return { client, server }
  server.push(client.prove(proof))
  return { client, server }
}
