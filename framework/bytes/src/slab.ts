import { HEADROOM } from './raw.js'

/**
 * Bytes one read can bring. Reading is what a relay spends its time on: 256 KiB a call costs half as much per byte as
 * 64 KiB; beyond 512 KiB the caches of common CPUs lose more than the fewer calls win.
 */
export const SLAB_SIZE = 256 * 1024

/**
 * How much memory all slabs together may take, in bytes: 64 MiB, 255 streams in full flow at a time. A stream that finds
 * the pool empty reads through the shared buffer, which costs a copy and nothing else.
 */
const POOL_LIMIT = 64 * 1024 * 1024

/** Slabs kept for the next one to ask, so that a burst does not pay for fresh memory again and again. */
const IDLE_LIMIT = 16

const idle: Buffer[] = []
const taken = new Set<Buffer>()

/** A slab dropped without {@link releaseSlab} is counted out when it is collected. */
let lost = 0
const collected = new FinalizationRegistry<void>(() => {
  lost -= 1
})

/** Memory to read into: {@link HEADROOM} + {@link SLAB_SIZE} bytes, or nothing when the pool has given out all it may. */
export const takeSlab = (): Buffer | undefined => {
  let slab = idle.pop()
  if (slab === undefined) {
    if ((taken.size + lost + 1) * SLAB_SIZE > POOL_LIMIT) return undefined
    slab = Buffer.allocUnsafeSlow(HEADROOM + SLAB_SIZE)
  }
  taken.add(slab)
  return slab
}

/** Gives a slab back. Anything that is not one, or was given back already, is ignored. */
export const releaseSlab = (slab: Buffer): void => {
  if (taken.delete(slab) && idle.length < IDLE_LIMIT) idle.push(slab)
}

/** Gives up a slab that somebody may still be reading: it is not used again, and freed when nobody holds it. */
export const forgetSlab = (slab: Buffer): void => {
  if (!taken.delete(slab)) return
  lost += 1
  collected.register(slab)
}

/** Slabs in use now. */
export const slabsTaken = (): number => taken.size
