import { createHash } from 'node:crypto'
import type net from 'node:net'
import { FilteredStream, type Filters, type Pump, pump, rawOf } from '../src/index.js'
import { tcpPair } from './sockets.js'

export interface Relayed {
  /** The visitor's own end, and the service's own end. */
  readonly visitor: net.Socket
  readonly service: net.Socket
  readonly pump: Pump
  readonly done: Promise<{ aToB: number; bToA: number; error: Error | undefined }>
}

export interface RelayedFilters {
  readonly aToB?: Filters
  readonly bToA?: Filters
}

export const relayed = async (filters?: RelayedFilters, left = tcpPair, right = tcpPair): Promise<Relayed> => {
  const [a, b] = [await left(), await right()]
  let tell: (done: { aToB: number; bToA: number; error: Error | undefined }) => void
  const done = new Promise<{ aToB: number; bToA: number; error: Error | undefined }>((resolve) => {
    tell = resolve
  })
  let calls = 0
  const near = rawOf(a.accepted)
  const far = rawOf(b.dialed)
  const to = filters === undefined ? far : new FilteredStream(far, { write: filters.aToB, read: filters.bToA })
  const running = pump(near, to, (aToB, bToA, error) => {
    calls += 1
    if (calls > 1) throw new Error('done twice')
    tell({ aToB, bToA, error })
  })
  return { visitor: a.dialed, service: b.accepted, pump: running, done }
}

export const received = async (socket: net.Socket): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export const sent = async (socket: net.Socket, bytes: Buffer, seed: number): Promise<void> => {
  let random = seed
  for (let at = 0; at < bytes.length; ) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff
    const size = random % 7 === 0 ? random % 400_000 : random % 3000
    const chunk = bytes.subarray(at, at + size)
    at += size
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.end()
}

export const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** How a connection ends, seen by its holder. */
export const ending = (socket: net.Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('end', () => resolve('end'))
    socket.resume()
  })
