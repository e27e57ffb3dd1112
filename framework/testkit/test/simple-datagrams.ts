import type { Admission, ProxyKind, ProxySpec, PublishHost } from '@rystra/plugin'
import { Type } from '@rystra/plugin'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Duplex } from 'node:stream'

/** Each datagram with its length in front, two bytes. */
const frame = (message: Buffer): Buffer => {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(message.length)
  return Buffer.concat([head, message])
}

const onFrames = (stream: Duplex, then: (message: Buffer) => void): void => {
  let rest = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0)
      then(rest.subarray(2, end))
      rest = rest.subarray(end)
    }
  })
}

interface Session {
  readonly stream: Duplex
  readonly admission: Admission
  toService: number
  toVisitor: number
}

/** What is wrong with a mutant. */
export interface Wrong {
  /** What becomes of a datagram on its way to the service. */
  readonly message?: (message: Buffer) => Buffer
  /** Whose session a datagram is. @default the visitor's own */
  readonly key?: (from: RemoteInfo) => string
  /** What the server is asked. */
  readonly admit?: (host: PublishHost, from: RemoteInfo, to: { host: string; port: number }) => Promise<Admission>
  readonly publish?: (publish: () => Promise<{ address: string; close: () => void }>) => ReturnType<typeof publish>
  /** Bytes that are told when a visitor is over. */
  readonly bytes?: (toService: number, toVisitor: number) => [number, number]
  /** The end of a service that cannot be reached. */
  readonly onError?: (socket: Socket, stream: Duplex) => void
}

const admitted: NonNullable<Wrong['admit']> = async (host, from, to) =>
  host.admit({ host: from.address, port: from.port, to })

/** A kind of datagrams that is no more than right: a stream for each visitor. */
export const simpleDatagrams = (wrong: Wrong = {}): ProxyKind => {
  const {
    message: made = (message) => message,
    key = ({ address, port }) => `${address}:${port}`,
    admit = admitted,
    publish = (go) => go(),
    bytes = (toService, toVisitor) => [toService, toVisitor],
    onError = () => {}
  } = wrong
  return {
    kind: 'simple-datagrams',
    spec: Type.Object(
      { local: Type.Optional(Type.String({ minLength: 1, description: 'Where the service is' })) },
      { additionalProperties: false }
    ),
    localFields: ['local'],
    publish: (_, host) =>
      publish(async () => {
        const { address, socket } = await host.listenUdp({})
        const sessions = new Map<string, Promise<Session | undefined>>()
        const begin = async (from: RemoteInfo): Promise<Session> => {
          const admission = await admit(host, from, address)
          const { stream } = await host.openStream(admission.info.visitor)
          stream.on('error', () => {})
          const session: Session = { stream, admission, toService: 0, toVisitor: 0 }
          onFrames(stream, (message) => {
            session.toVisitor += message.length
            socket.send(message, from.port, from.address)
          })
          return session
        }
        socket.on('message', (message, from) => {
          const sender = key(from)
          const session = sessions.get(sender) ?? begin(from).catch(() => undefined)
          sessions.set(sender, session)
          void session.then((one) => {
            if (one === undefined) return
            one.toService += message.length
            one.stream.write(frame(made(message)))
          })
        })
        const close = (): void => {
          for (const session of sessions.values()) {
            void session.then((one) => {
              if (one === undefined) return
              one.admission.close(...bytes(one.toService, one.toVisitor))
              one.stream.destroy()
            })
          }
          sessions.clear()
        }
        return { address: `${address.host}:${address.port}`, close }
      }),
    async reach({ local }, host) {
      const stream = host.accept()
      const socket = createSocket('udp4')
      const [name, port] = String(local).split(':')
      socket.on('error', () => onError(socket, stream))
      await new Promise<void>((resolve) => socket.connect(Number(port), name, resolve))
      onFrames(stream, (message) => socket.send(message))
      socket.on('message', (message) => stream.write(frame(message)))
      stream.on('error', () => {})
      await new Promise<void>((resolve) => stream.on('close', resolve))
      socket.close()
    }
  }
}

export const datagramSpec = (local: string): ProxySpec => ({ name: 'simple', kind: 'simple-datagrams', local })
