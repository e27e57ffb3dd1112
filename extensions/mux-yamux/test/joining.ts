import { type Offloaded, type RawStream, rawOf } from '@rystra/bytes'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type net from 'node:net'
import type { Duplex } from 'node:stream'
import { quiet, sockets } from './ends.js'

export const pattern = (bytes: number, seed: number): Buffer => {
  const made = Buffer.alloc(bytes)
  for (let at = 0, value = seed; at < bytes; at++, value = (value * 31 + 7) & 0xffff) made[at] = value >> 3
  return made
}

export const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

export const received = async (stream: Duplex): Promise<Buffer> => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

/** The code or message of the error, or `end`. */
export const ending = (stream: Duplex): Promise<string> =>
  new Promise((resolve) => {
    stream.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    stream.once('end', () => resolve('end'))
    stream.resume()
  })

export interface Joined {
  /** The socket whose other end is joined. */
  readonly far: net.Socket
  readonly moved: Offloaded
  /** Reports of the stream and the socket that were joined. */
  readonly closed: (Error | undefined)[]
}

/** Joins a stream with a socket, as a pump does. */
export const joined = async (stream: Duplex): Promise<Joined> => {
  const [far, near] = await sockets()
  quiet(far)
  quiet(near)
  const raw = rawOf(stream)
  const socket = rawOf(near)
  const closed: (Error | undefined)[] = []
  const report = (other: RawStream) => (error?: Error) => {
    closed.push(error)
    if (error !== undefined) other.reset()
  }
  raw.onClose = report(socket)
  socket.onClose = report(raw)
  const detached = socket.detach?.()
  if (detached === undefined || raw.offload === undefined) throw new Error('it has no descriptor')
  const moved = raw.offload(detached)
  if (moved === undefined) throw new Error('it was not joined')
  return { far, moved, closed }
}
