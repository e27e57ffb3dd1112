import { BatchedUdp, nativeStatus } from '@rystra/native'
import type { UdpEvents, UdpFeatures } from '../src/batched-udp.js'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { until } from '@rystra/testkit'
import { readdirSync, readlinkSync } from 'node:fs'

const started: (() => unknown)[] = []

export const cleanUp = async (): Promise<void> => {
  for (const end of started.splice(0).reverse()) await end()
}

/** Leaves the cases out where there is no binary for this platform, or it is turned off. A binary that does not load fails them. */
export const needsNative = (): void => {
  before(function () {
    const { used, detail } = nativeStatus()
    if (used) return
    if (!/^no binary for|^turned off/.test(detail)) throw new Error(`the native part does not load: ${detail}`)
    this.skip()
  })
}

const isOpen = (socket: Socket): boolean => {
  try {
    socket.address()
    return true
  } catch {
    return false
  }
}

/** Closes it, and resolves when its port is free. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (isOpen(socket) ? socket.close(() => resolve()) : resolve()))

export const bound = async (host = '127.0.0.1'): Promise<Socket> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  socket.setRecvBufferSize(4 * 1024 * 1024)
  started.push(() => closed(socket))
  return socket
}

/** What has come to a socket. */
export interface Received {
  readonly socket: Socket
  readonly udp: BatchedUdp
  readonly port: number
  readonly datagrams: Buffer[]
  readonly from: string[]
  readonly errors: NodeJS.ErrnoException[]
}

/** A socket in batches, which keeps what comes. */
export const batched = async (
  features: UdpFeatures = {},
  { host = '127.0.0.1', peer, ...events }: Partial<UdpEvents> & { host?: string; peer?: number } = {}
): Promise<Received> => {
  const socket = await bound(host)
  if (peer !== undefined) {
    socket.connect(peer, host)
    await once(socket, 'connect')
  }
  const datagrams: Buffer[] = []
  const from: string[] = []
  const errors: NodeJS.ErrnoException[] = []
  const udp = BatchedUdp.attach(
    socket,
    {
      onDatagram(datagram, address, port) {
        datagrams.push(Buffer.from(datagram))
        from.push(`${address}|${port}`)
      },
      onError: (error) => void errors.push(error),
      ...events
    },
    features
  )
  if (udp === undefined) throw new Error('the native part does not attach')
  return { socket, udp, port: socket.address().port, datagrams, from, errors }
}

/** Sends what is pending, all of it. */
export const flushed = async ({ udp }: Received): Promise<void> => {
  udp.flush()
  await until(() => !udp.blocked, 'the kernel to accept more')
}

/** Sends a datagram, when there is room. */
export const sent = async (from: Received, datagram: Buffer, port: number, host = '127.0.0.1'): Promise<void> => {
  while (!from.udp.post(datagram, port, host)) await flushed(from)
}

/** Descriptors of UDP sockets of this process, by number. */
export const descriptors = (): number[] =>
  readdirSync('/proc/self/fd')
    .map(Number)
    .filter((number) => {
      try {
        return readlinkSync(`/proc/self/fd/${number}`).startsWith('socket:')
      } catch {
        return false
      }
    })

export { until }
