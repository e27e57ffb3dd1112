import type { ConnectionBinding } from './connection-binding.js'
import type { LinkBinding } from './link-binding.js'

/** A socket of the binding. */
export type NativeSocket = object & { readonly __native?: never }

/** The functions of the binary. */
export interface Binding extends LinkBinding, ConnectionBinding {
  /** What all sockets of the thread receive into. Called once. */
  setup(memory: Buffer, rows: Int32Array): void
  /** Reads a copy of the descriptor from now on. A negative number is the error. */
  attach(
    descriptor: number,
    deliver: (what: number) => void,
    segment: boolean,
    coalesce: boolean
  ): NativeSocket | number
  /** Sends rows. Returns how many are done with, and {@link FAILED} and {@link SEGMENT_OFF}. */
  send(socket: NativeSocket, memory: Buffer, rows: Int32Array, count: number): number
  close(socket: NativeSocket): void
  unref(socket: NativeSocket): void
  /** Writes an address into a row. `false` if it is not valid. */
  parse(host: string, row: Int32Array): boolean
  /** The address of the row at `at`. */
  format(rows: Int32Array, at: number): string
}

/** Some rows have failed: their errno is in the row. */
export const FAILED = 1 << 17

/** The socket cannot segment. */
const SEGMENT_OFF = 1 << 16

/** The part of a result that counts rows. */
export const DONE = SEGMENT_OFF - 1
