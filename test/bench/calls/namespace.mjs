/** A slow line made by the kernel: loopback of a network namespace of its own, with a rate and a queue. Needs Linux, `ip`, `tc` and root. */
import { execFileSync } from 'node:child_process'

/** As on Ethernet: loopback has 64 KiB, and would send in bursts that no line has. */
const MTU = 1500

/** Bytes that may leave at once: a dozen packets. */
const BURST_BYTES = 20_000

/**
 * @param quality `rate` in bytes a second, `queue` in milliseconds that a packet may wait for its turn
 * @returns its name and what removes it; `undefined` where it cannot be made, with the reason given to `missing`
 */
export const slowNamespace = ({ rate, queue }, missing) => {
  const name = `rystra-bench-${process.pid}`
  const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const close = () => {
    try {
      ip('netns', 'del', name)
    } catch {
      // It was not made, or is gone.
    }
  }
  try {
    ip('netns', 'add', name)
    const within = (...command) => ip('netns', 'exec', name, ...command)
    within('ip', 'link', 'set', 'lo', 'mtu', String(MTU), 'up')
    const shape = ['rate', `${rate * 8}bit`, 'burst', String(BURST_BYTES), 'latency', `${queue}ms`]
    within('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'tbf', ...shape)
  } catch (error) {
    close()
    missing(String(error.stderr ?? error.message).trim())
    return undefined
  }
  process.once('exit', close)
  return { name, close }
}
