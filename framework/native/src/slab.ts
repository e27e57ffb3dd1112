import { COLUMNS, MAX_ROWS } from './rows.js'
import { Views } from './views.js'

/** Bytes of a batch: 64 packets of Ethernet, or one datagram of any size. */
export const SLAB_BYTES = 128 * 1024

/** Slabs that wait for their next use. */
const MAX_FREE = 8

/** The datagrams of one send, behind each other. */
export class Slab {
  readonly memory = Buffer.allocUnsafeSlow(SLAB_BYTES)
  readonly rows = new Int32Array(MAX_ROWS * COLUMNS)
  /** Whether a failure is reported, by row. */
  readonly watched = new Uint8Array(MAX_ROWS)
  /** By row. */
  readonly views = new Views(this.memory)
}

const free: Slab[] = []

/** A slab is held from the first datagram of a batch until all are sent, so that idle sockets have none. */
export const takeSlab = (): Slab => free.pop() ?? new Slab()

export const giveSlab = (slab: Slab): void => {
  if (free.length < MAX_FREE) free.push(slab)
}
