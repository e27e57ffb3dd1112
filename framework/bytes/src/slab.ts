import { HEADROOM } from './raw.js'

/**
 * Bytes one read can bring. Reading is what a relay spends its time on: 256 KiB a call costs half as much per byte as
 * 64 KiB, and through a muxer, where a read becomes a frame, 1 MiB a fifth less than 256 KiB.
 */
export const SLAB_SIZE = 1024 * 1024

/**
 * How many slabs there may be at a time: 64 MiB, 64 streams in full flow. A stream that finds the pool empty reads
 * through the shared buffer, which costs a copy and nothing else.
 */
const POOL_LIMIT = 64

/** Slabs kept for the next one to ask, so that a burst does not pay for fresh memory again and again. */
const IDLE_LIMIT = 16

/** Where a slab is: in the pool, taken, or given up by its holder. */
interface Whereabouts {
  at: 'idle' | 'taken' | 'lost' | 'freed'
}

const idle: Buffer[] = []
/** Weak, so that a slab that its holder drops is collected, and counted out then. */
const slabs = new WeakMap<Buffer, Whereabouts>()
let taken = 0
let alive = 0

const collected = new FinalizationRegistry<Whereabouts>((slab) => {
  if (slab.at === 'freed') return
  if (slab.at === 'taken') taken -= 1
  alive -= 1
})

/** Memory to read into: {@link HEADROOM} + {@link SLAB_SIZE} bytes, or nothing when the pool has given out all it may. */
export const takeSlab = (): Buffer | undefined => {
  const slab = idle.pop() ?? fresh()
  if (slab === undefined) return undefined
  const where = slabs.get(slab) as Whereabouts
  where.at = 'taken'
  taken += 1
  return slab
}

const fresh = (): Buffer | undefined => {
  if (alive >= POOL_LIMIT) return undefined
  const slab = Buffer.allocUnsafeSlow(HEADROOM + SLAB_SIZE)
  const where: Whereabouts = { at: 'idle' }
  slabs.set(slab, where)
  collected.register(slab, where)
  alive += 1
  return slab
}

/** Gives a slab back. Anything that is not one, or was given back already, is ignored. */
export const releaseSlab = (slab: Buffer): void => {
  const where = slabs.get(slab)
  if (where?.at !== 'taken') return
  taken -= 1
  if (idle.length < IDLE_LIMIT) {
    where.at = 'idle'
    idle.push(slab)
  } else {
    where.at = 'freed'
    alive -= 1
  }
}

/** Gives up a slab that may still be read: it is not used again, and is freed with its last reference. */
export const forgetSlab = (slab: Buffer): void => {
  const where = slabs.get(slab)
  if (where?.at !== 'taken') return
  where.at = 'lost'
  taken -= 1
}

/**
 * Slabs that readers may hold beyond the read that filled them, in the whole process: a third of the pool, so that
 * stalled streams leave most of it to those that flow.
 */
const MAX_HELD = Math.floor(POOL_LIMIT / 3)

let held = 0

/** Whether a reader may hold one more. */
export const mayHoldSlab = (): boolean => held < MAX_HELD

/** A reader holds one, or gives it up again. */
export const holdSlab = (holds: boolean): void => {
  held += holds ? 1 : -1
}

/** Slabs in use now. */
export const slabsTaken = (): number => taken
