import { cutOff, type RawReader, type RawStream } from '@rystra/bytes'
import { nativeStatus } from '@rystra/native'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import { offerHandles } from '../src/accepted-handles.js'
import { ConnectionStream } from '../src/index.js'

/** Leaves the cases out where there is no binary for this platform, or it is turned off. */
export const needsNative = (): void => {
  before(function () {
    if (!nativeStatus().used) this.skip()
  })
}

const started: (() => void)[] = []

export const cleanUp = (): void => {
  for (const end of started.splice(0)) end()
}

/** A connection, and the plain socket at its other end. */
export interface Connected {
  readonly stream: ConnectionStream
  readonly far: net.Socket
}

const kept = (connected: Connected): Connected => {
  const { stream, far } = connected
  far.on('error', () => {})
  started.push(() => {
    stream.reset()
    far.destroy()
  })
  return connected
}

const listening = async (): Promise<{ server: net.Server; port: number }> => {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  started.push(() => server.close())
  await once(server, 'listening')
  return { server, port: (server.address() as net.AddressInfo).port }
}

const dialed = async (): Promise<Connected> => {
  const { server, port } = await listening()
  const stream = ConnectionStream.dial({ host: '127.0.0.1', port })
  if (stream === undefined) throw new Error('it cannot be dialed')
  const coming = once(server, 'connection') as Promise<[net.Socket]>
  await new Promise<void>((resolve) => {
    stream.onConnected = resolve
  })
  return kept({ stream, far: (await coming)[0] })
}

const accepted = async (): Promise<Connected> => {
  const { server, port } = await listening()
  const adopted = new Promise<ConnectionStream>((resolve, reject) => {
    offerHandles(server, ({ fd }) => {
      const made = ConnectionStream.adopt(fd)
      if (made === undefined || made === 'full') reject(new Error('it cannot be adopted'))
      else resolve(made.stream)
      return true
    })
  })
  const far = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  await once(far, 'connect')
  return kept({ stream: await adopted, far })
}

/** Either end. */
export const connections: Readonly<Record<string, () => Promise<Connected>>> = { dialed, accepted }

/** What a reader is told, and how its stream closes. */
export class Reading implements RawReader {
  readonly chunks: Buffer[] = []
  ended = false
  closed = false
  error: Error | undefined
  /** Answered to bytes. */
  verdict = true

  constructor(stream: RawStream) {
    stream.onClose = (error) => {
      this.closed = true
      this.error = error
    }
    stream.read(this)
  }

  get text(): string {
    return String(Buffer.concat(this.chunks))
  }

  get code(): string | undefined {
    return (this.error as NodeJS.ErrnoException | undefined)?.code
  }

  onBytes(buffer: Buffer, start: number, end: number): boolean {
    this.chunks.push(Buffer.from(buffer.subarray(start, end)))
    return this.verdict
  }

  onEnd(): void {
    this.ended = true
  }
}

/** Resets a connection from its other end. */
export const resetFrom = (far: net.Socket): void => cutOff(far)

/** Sockets that this process has open, by number. */
export const sockets = (): number[] =>
  readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
      } catch {
        return false
      }
    })

export const send = (stream: RawStream, text: string): boolean => stream.write(Buffer.from(text), 0, text.length, false)
