import { createSocket, type Socket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import type { ResponderOptions } from '../src/responder.js'

const GROUP = '224.0.0.251'
const LOOPBACK = '127.0.0.1'

/** A network of this process alone that carries datagrams to a group, where the machine does not let loopback do it. */
class GroupInMemory {
  readonly #members = new Set<EventEmitter>()

  socket(port: number): Socket {
    const socket = new EventEmitter()
    const send = (
      message: Buffer,
      from: number,
      length: number,
      _to: number,
      _host: string,
      sent: () => void
    ): void => {
      const copy = Buffer.from(message.subarray(from, from + length))
      setImmediate(() => {
        const peer = { address: LOOPBACK, family: 'IPv4', port, size: length }
        for (const member of this.#members) member.emit('message', copy, peer)
        sent?.()
      })
    }
    const none = (): void => {}
    const bind = (_port: number, _host: string, done: () => void): void => {
      setImmediate(() => {
        this.#members.add(socket)
        socket.emit('listening')
        done()
      })
    }
    const close = (done?: () => void): void => {
      this.#members.delete(socket)
      if (done !== undefined) setImmediate(done)
    }
    return Object.assign(socket, {
      bind,
      send,
      close,
      address: () => ({ port }),
      setMulticastTTL: none,
      setMulticastLoopback: none,
      setMulticastInterface: none,
      addMembership: none,
      dropMembership: none
    }) as unknown as Socket
  }
}

/** A member of the group on loopback, on a port of its own that others may share. */
const member = async (port = 0): Promise<Socket> => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.bind(port, '0.0.0.0')
  await once(socket, 'listening')
  socket.addMembership(GROUP, LOOPBACK)
  socket.setMulticastInterface(LOOPBACK)
  socket.setMulticastLoopback(true)
  return socket
}

/** Where the tests announce and find. */
export interface TestNetwork {
  /** `loopback multicast`, or the stand-in for it. */
  readonly kind: string
  readonly options: ResponderOptions
  /** Sends a datagram to the group, as a neighbour would. */
  send(datagram: Buffer): Promise<void>
  close(): void
}

/** Datagrams to the group through loopback, if a first one arrives; a stand-in if not. */
export const openNetwork = async (): Promise<TestNetwork> => {
  try {
    const socket = await member()
    const { port } = socket.address()
    const arrived = once(socket, 'message', { signal: AbortSignal.timeout(1000) })
    socket.send('test', port, GROUP)
    await arrived
    return {
      kind: 'loopback multicast',
      options: { interface: LOOPBACK, port },
      send: (datagram) =>
        new Promise((resolve, reject) =>
          socket.send(datagram, port, GROUP, (error) => (error === null ? resolve() : reject(error)))
        ),
      close: () => socket.close()
    }
  } catch (error) {
    return memoryNetwork(`a stand-in in memory (${(error as Error).message})`)
  }
}

/** The stand-in. `from` is the port that datagrams of {@link TestNetwork.send} come from. @default that of mDNS */
export const memoryNetwork = (kind = 'a stand-in in memory', from = 5353): TestNetwork => {
  const group = new GroupInMemory()
  const port = 5353
  const sender = group.socket(from)
  return {
    kind,
    options: { port, socket: () => group.socket(port) },
    send: (datagram) =>
      new Promise((resolve) => sender.send(datagram, 0, datagram.length, port, GROUP, () => resolve())),
    close: () => {}
  }
}
