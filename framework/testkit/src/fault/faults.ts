import { Random } from '../random.js'
import type { Fault, FaultHost, Gate } from './fault.js'

/** Hands on every byte in a chunk of its own, or `size` bytes in each. Bounds of chunks mean nothing in a stream. */
export const split = (size = 1): Fault =>
  async function* (bytes) {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size)
    }
  }

/** Hands on chunks of 1 to `max` bytes, the same ones for the same seed. */
export const splitAtRandom = (seed: number, max = 1_000): Fault => {
  return async function* (bytes) {
    const random = new Random(seed)
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; ) {
        const size = 1 + random.below(max)
        yield chunk.subarray(at, at + size)
        at += size
      }
    }
  }
}

/** Changes the byte with this number, counted from 0. @param mask the bits that are turned over. @default 0xff */
export const corrupt = (at: number, mask = 0xff): Fault =>
  async function* (bytes) {
    let before = 0
    for await (const chunk of bytes) {
      const index = at - before
      before += chunk.length
      if (index >= 0 && index < chunk.length) {
        const changed = Buffer.from(chunk)
        changed[index] = (changed[index] ?? 0) ^ mask
        yield changed
      } else yield chunk
    }
  }

/** Lets `after` bytes through, then resets the stream. */
export const cut = (after: number): Fault =>
  async function* (bytes, host) {
    let left = after
    for await (const chunk of bytes) {
      if (chunk.length < left) {
        left -= chunk.length
        yield chunk
        continue
      }
      if (left > 0) yield chunk.subarray(0, left)
      host.cut()
      return
    }
  }

/** Lets `after` bytes through and swallows the rest, the end too: who sends notices nothing. */
export const blackhole = (after = 0): Fault =>
  async function* (bytes) {
    let left = after
    for await (const chunk of bytes) {
      if (left > 0) yield chunk.subarray(0, left)
      left = Math.max(0, left - chunk.length)
    }
    await new Promise(() => {})
  }

/** Lets `after` bytes through and then nothing, until it is opened. Nothing is lost; who sends is held back. */
export const stall = (after = 0): Gate => {
  let passed = 0
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const fault: Fault = async function* (bytes) {
    for await (const chunk of bytes) {
      const left = Math.max(0, after - passed)
      passed += chunk.length
      if (left > 0) yield chunk.subarray(0, left)
      if (left < chunk.length) {
        await opened
        yield chunk.subarray(left)
      }
    }
  }
  return {
    fault,
    open,
    get passed() {
      return passed
    }
  }
}

const sleep = (host: FaultHost, ms: number): Promise<void> =>
  new Promise((resolve) => {
    host.clock.after(ms, resolve)
  })

/** How late bytes come. */
export interface DelayOptions {
  /** Milliseconds that come on top, at random, at most. @default 0 */
  readonly jitter?: number
  /** @default 1 */
  readonly seed?: number
  /** Bytes that may be on their way before who sends is held back. @default 1048576 */
  readonly inFlight?: number
}

/** Hands on each chunk `ms` milliseconds late, in order, as a long line does: many may be on their way. */
export const delay = (ms: number, { jitter = 0, seed = 1, inFlight = 1_048_576 }: DelayOptions = {}): Fault =>
  async function* (bytes, host) {
    const random = new Random(seed)
    const line: { readonly chunk: Buffer | undefined; readonly due: number }[] = []
    let underWay = 0
    let wake = (): void => {}
    let room = (): void => {}
    const enter = (chunk?: Buffer): void => {
      line.push({ chunk, due: host.clock.now() + ms + (jitter === 0 ? 0 : random.below(jitter + 1)) })
      wake()
    }
    const fill = async (): Promise<void> => {
      for await (const chunk of bytes) {
        underWay += chunk.length
        enter(chunk)
        if (underWay >= inFlight) {
          await new Promise<void>((resolve) => {
            room = resolve
          })
        }
      }
      enter()
    }
    void fill()
    for (;;) {
      const next = line.shift()
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      const wait = next.due - host.clock.now()
      if (wait > 0) await sleep(host, wait)
      if (next.chunk === undefined) return
      yield next.chunk
      underWay -= next.chunk.length
      if (underWay < inFlight) room()
    }
  }

/** Hands on no more than so many bytes in a second, in steps of `step` ms. @param step @default 10 */
export const throttle = (bytesPerSecond: number, step = 10): Fault =>
  async function* (bytes, host) {
    const share = Math.max(1, Math.floor((bytesPerSecond * step) / 1_000))
    let left = share
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; ) {
        if (left === 0) {
          await sleep(host, step)
          left = share
        }
        const size = Math.min(left, chunk.length - at)
        yield chunk.subarray(at, at + size)
        at += size
        left -= size
      }
    }
  }
