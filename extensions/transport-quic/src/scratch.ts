/** Bytes of one read. */
const SIZE = 128 * 1024

const free: Buffer[] = []

/**
 * Lends memory for the time of a call. Whoever is given bytes may cause another stream to be read in between, which then
 * gets other memory.
 */
export const borrow = <Answer>(use: (memory: Buffer) => Answer): Answer => {
  const memory = free.pop() ?? Buffer.allocUnsafeSlow(SIZE)
  try {
    return use(memory)
  } finally {
    free.push(memory)
  }
}
