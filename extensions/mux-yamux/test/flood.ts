import { HEADROOM, rawOf } from '@rystra/bytes'
import type { Duplex } from 'node:stream'

export const WINDOW = 256 * 1024
export const MIB = 1024 * 1024

/** Writes up to a limit as far as the stream accepts, and returns the number of bytes. */
export const flood = (stream: Duplex, limit: number): { written: number } => {
  const raw = rawOf(stream)
  const memory = Buffer.alloc(HEADROOM + 64 * 1024, 1)
  const state = { written: 0 }
  const more = (): void => {
    while (state.written < limit) {
      state.written += 64 * 1024
      if (!raw.write(memory, HEADROOM, memory.length, false)) return
    }
  }
  raw.onWritable = more
  more()
  return state
}
