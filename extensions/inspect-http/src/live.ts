import type { Exchange } from './exchange.js'
import type { Ring } from './ring.js'

/** Exchanges that wait for one reader; of more, the oldest go. */
const MAX_WAITING = 200

/** Milliseconds after which a reader that waits gets an empty line, so that a connection that is gone is noticed. */
const IDLE_MS = 15_000

/** Each exchange that ends, as a line of JSON, until `signal` is aborted. */
export async function* liveLines(
  ring: Ring,
  line: (exchange: Exchange) => string,
  signal: AbortSignal
): AsyncGenerator<string> {
  const waiting: Exchange[] = []
  let wake: (() => void) | undefined
  const stop = ring.read((exchange) => {
    waiting.push(exchange)
    if (waiting.length > MAX_WAITING) waiting.shift()
    wake?.()
  })
  const aborted = (): void => wake?.()
  signal.addEventListener('abort', aborted)
  try {
    // At once: a reader that waits knows that it is connected.
    yield '\n'
    while (!signal.aborted) {
      const next = waiting.shift()
      if (next !== undefined) {
        yield `${line(next)}\n`
        continue
      }
      const idle = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), IDLE_MS)
        wake = () => {
          clearTimeout(timer)
          resolve(false)
        }
      })
      wake = undefined
      if (idle) yield '\n'
    }
  } finally {
    stop()
    signal.removeEventListener('abort', aborted)
  }
}
