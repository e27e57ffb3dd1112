/** Interval of the sweep: a slab that was not read into for this long goes back to the pool. */
const SWEEP_MS = 2000

/** What may hold a slab. */
export interface Sweepable {
  sweep(): void
}

/** Those that hold one. */
export const promoted = new Set<Sweepable>()
let timer: NodeJS.Timeout | undefined

/** Sweeps for as long as there is one. */
export const keepSweeping = (): void => {
  timer ??= setInterval(() => {
    for (const socket of promoted) socket.sweep()
    if (promoted.size > 0) return
    clearInterval(timer)
    timer = undefined
  }, SWEEP_MS).unref()
}

/**
 * Each time the slab of a socket was taken back too early, the socket may keep the next one twice as long, up to so many sweeps (half
 * an hour). Changing the buffer between reads costs a few bytes inside Node that only the end of the socket gives back.
 */
export const MAX_SWEEPS = 1024
