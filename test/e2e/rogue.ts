import { once } from 'node:events'
import net from 'node:net'
import authToken from '@rystra/auth-token'
import { Kernel } from '@rystra/kernel'
import muxDirect from '@rystra/mux-direct'
import {
  encode,
  FrameDecoder,
  type Message,
  type MessageName,
  type MessageOf,
  SESSION_FRAME_LIMIT
} from '@rystra/protocol'
import type { Server } from '@rystra/server'
import { authenticateClient, authenticateToServer } from '@rystra/session'
import { later, portOf, token as homeToken, until } from './tunnel.js'

/** One end of a session that does as it likes, on mux-direct: its link carries the control messages. Answers heartbeats. */
export interface Rogue {
  readonly socket: net.Socket
  /** Id of the session. */
  readonly session: string
  readonly secret: Uint8Array | undefined
  /** Everything the other side has said so far. */
  readonly heard: Message[]
  say(...messages: Message[]): void
  /** The next message of this type that was not taken yet. */
  next<Name extends MessageName>(type: Name): Promise<MessageOf<Name>>
}

const rogueOn = (socket: net.Socket, session: string, secret: Uint8Array | undefined): Rogue => {
  const heard: Message[] = []
  const decoder = new FrameDecoder(SESSION_FRAME_LIMIT)
  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk)
    for (let message = decoder.next(); message !== undefined; message = decoder.next()) {
      if (message.type === 'Heartbeat') socket.write(encode({ ...message, type: 'HeartbeatAck' }))
      else heard.push(message)
    }
  })
  return {
    socket,
    session,
    secret,
    heard,
    say: (...messages) => {
      socket.write(Buffer.concat(messages.map(encode)))
    },
    next: async (type) => {
      const find = (): number => heard.findIndex((message) => message.type === type)
      await until(() => find() >= 0)
      return heard.splice(find(), 1)[0] as never
    }
  }
}

const kernelOf = async (side: 'server' | 'client', options: Parameters<typeof authToken>[0]): Promise<Kernel> => {
  const kernel = new Kernel({ side })
  await kernel.provision([authToken(options), muxDirect()])
  later(() => kernel.stop())
  return kernel
}

/** A client that authenticated itself, and then does as it likes. */
export const rogueClient = async (
  server: Server,
  id = 'rogue',
  token = homeToken,
  features: readonly string[] = []
): Promise<Rogue> => {
  const kernel = await kernelOf('client', { token })
  const socket = net.connect({ host: '127.0.0.1', port: portOf(server), noDelay: true })
  socket.on('error', () => {})
  later(() => socket.destroy())
  await once(socket, 'connect')
  const { ok, secret } = await authenticateToServer(socket, {
    offer: { id, instance: 'r', agent: 'rogue', muxers: ['direct'], features },
    authenticators: kernel.current.registries.authenticators,
    peer: { address: '127.0.0.1', port: 0 },
    signal: new AbortController().signal
  })
  return rogueOn(socket, ok.session, secret)
}

/** A server that lets clients in, and then does as it likes. Links that do not begin a session are kept, and not read. */
export interface RogueServer {
  readonly port: number
  readonly links: net.Socket[]
  /** The session of the next client. */
  session(): Promise<Rogue>
}

export const rogueServer = async (features: readonly string[] = []): Promise<RogueServer> => {
  const kernel = await kernelOf('server', { tokens: [{ identity: 'home', token: homeToken }] })
  const links: net.Socket[] = []
  const sessions: Rogue[] = []
  const listener = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    later(() => socket.destroy())
    void authenticateClient(socket, {
      generation: kernel.current,
      peer: { address: '127.0.0.1', port: socket.remotePort ?? 0 },
      transport: 'tcp',
      agent: 'rogue',
      muxers: ['direct'],
      features,
      signal: new AbortController().signal
    }).then(
      (admitted) => {
        if (admitted.type === 'data') {
          links.push(socket)
          admitted.take()
          return
        }
        const { accepted, welcome } = admitted
        welcome({
          session: 'rogue',
          identity: 'home',
          ...(accepted.confirm === undefined ? {} : { confirm: accepted.confirm }),
          heartbeat: 1000,
          limits: { proxies: 100, streams: 100 }
        })
        sessions.push(rogueOn(socket, 'rogue', accepted.secret))
      },
      () => {}
    )
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  later(() => listener.close())
  return {
    port: (listener.address() as net.AddressInfo).port,
    links,
    session: async () => {
      await until(() => sessions.length > 0)
      return sessions.shift() as Rogue
    }
  }
}
