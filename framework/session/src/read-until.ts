import { RystraError } from '@rystra/model'
import type { Duplex } from 'node:stream'

/**
 * Reads a stream that has no other reader, until `take` answers with something. `take` puts back at once, with `unshift`,
 * what it does not use up: a turn later the stream may have ended, and takes nothing back.
 * Rejects with `session.lost` when the stream ends, with the reason of `signal`, and with what `take` throws. Leaves no
 * listener behind; an `error` listener of the caller's own has to be there before and after.
 */
export const readUntil = <Result>(
  stream: Duplex,
  signal: AbortSignal,
  take: (chunk: Buffer) => Result | undefined
): Promise<Result> =>
  new Promise((resolve, reject) => {
    const done = (): void => {
      stream.removeListener('readable', readAll)
      stream.removeListener('end', ended)
      stream.removeListener('close', ended)
      stream.removeListener('error', failed)
      signal.removeEventListener('abort', aborted)
    }
    const readAll = (): void => {
      try {
        for (let chunk = read(); chunk !== null; chunk = read()) {
          const result = take(chunk)
          if (result === undefined) continue
          done()
          resolve(result)
          return
        }
      } catch (error) {
        done()
        reject(error as Error)
      }
    }
    const read = (): Buffer | null => stream.read() as Buffer | null
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
    stream.on('readable', readAll)
    stream.on('end', ended)
    stream.on('close', ended)
    stream.on('error', failed)
    signal.addEventListener('abort', aborted)
    readAll()
  })
