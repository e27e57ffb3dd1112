import { RpcError } from './error.js'
import type { RpcSession } from './session/rpc-session.js'

/** Milliseconds before a lost channel is opened again, the longest wait, and after how long it counts as stable. */
const RETRY_MS = 25
/** The same for a channel that ended cleanly: mostly its link ends with it, and the end of that may come a little later. */
const ENDED_RETRY_MS = 250
const MAX_RETRY_MS = 5000
const STABLE_MS = 10_000

/** Connects again when the channel alone was lost. A new link connects by itself, and a refusal is not tried again. */
export const comeBack = (session: RpcSession, connect: () => void): void => {
  let attempts = 0
  let since = 0
  let timer: NodeJS.Timeout | undefined
  session.on('up', () => {
    since = performance.now()
  })
  session.on('down', (error) => {
    if (error instanceof RpcError) return
    attempts = performance.now() - since > STABLE_MS ? 0 : attempts + 1
    clearTimeout(timer)
    const first = error === undefined ? ENDED_RETRY_MS : RETRY_MS
    timer = setTimeout(connect, Math.min(first * 2 ** attempts, MAX_RETRY_MS) * (0.5 + Math.random() / 2))
    timer.unref()
  })
  session.on('close', () => clearTimeout(timer))
}
