/** Size of one read. */
const SIZE_BYTES = 128 * 1024

const free: Buffer[] = []

/**
 * Lends memory for the duration of a call. A nested call gets other memory: a reader may cause another stream to be
 * read.
 */
export const borrow = <Answer>(use: (memory: Buffer) => Answer): Answer => {
  const memory = free.pop() ?? Buffer.allocUnsafeSlow(SIZE_BYTES)
  try {
    return use(memory)
  } finally {
    free.push(memory)
  }
}
