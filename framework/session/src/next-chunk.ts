import { RystraError } from '@rystra/model'
import type { Duplex } from 'node:stream'

/**
 * The next bytes of a stream nobody else reads. What is not used up can be given back with `unshift`, for whoever takes
 * the stream over. Rejects with `session.lost` when it ends, and with the reason of `signal`.
 */
export const nextChunk = (stream: Duplex, signal: AbortSignal): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const done = (): void => {
      stream.removeListener('readable', look)
      stream.removeListener('end', ended)
      stream.removeListener('close', ended)
      stream.removeListener('error', failed)
      signal.removeEventListener('abort', aborted)
    }
    const look = (): void => {
      const chunk = stream.read() as Buffer | null
      if (chunk === null) return
      done()
      resolve(chunk)
    }
    const failed = (error?: Error): void => {
      done()
      reject(new RystraError('session.lost', { cause: error }))
    }
    const ended = (): void => failed()
    const aborted = (): void => {
      done()
      reject(signal.reason as Error)
    }
    if (signal.aborted) return aborted()
    if (stream.destroyed || stream.readableEnded) return ended()
    stream.on('readable', look)
    stream.on('end', ended)
    stream.on('close', ended)
    stream.on('error', failed)
    signal.addEventListener('abort', aborted)
    look()
  })
