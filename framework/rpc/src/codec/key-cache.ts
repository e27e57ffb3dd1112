/** Keys that are kept, of all connections: those of the records that a program sends and receives. */
const SLOTS = 1024

/** Longer keys are not kept. */
const MAX_KEPT_BYTES = 32

/** Stands for "no key": in front of the first one, and behind one that is not kept. */
export const NO_SLOT = SLOTS

interface Kept {
  readonly name: string
  readonly bytes: Uint8Array
}

const kept = new Array<Kept | undefined>(SLOTS).fill(undefined)

/** The slot of the key that followed last time: records of one kind have their keys in one order. */
const following = new Uint16Array(SLOTS + 1).fill(NO_SLOT)

const isAt = ({ bytes: name }: Kept, bytes: Buffer, start: number, size: number): boolean => {
  if (name.length !== size) return false
  for (let index = 0; index < size; index++) if (bytes[start + index] !== name[index]) return false
  return true
}

/** The slot of the key in `bytes[start, start + size)` when it is the one that was seen behind that of `before`; otherwise {@link NO_SLOT}. */
export const expectedKey = (before: number, bytes: Buffer, start: number, size: number): number => {
  const slot = following[before] as number
  const found = kept[slot]
  return found !== undefined && isAt(found, bytes, start, size) ? slot : NO_SLOT
}

export const keyIn = (slot: number): string => (kept[slot] as Kept).name

/** Finds a key anywhere, or keeps it. Answers {@link NO_SLOT} for one that is too long. @param read makes the text */
export const findKey = (before: number, bytes: Buffer, start: number, size: number, read: () => string): number => {
  if (size > MAX_KEPT_BYTES) return NO_SLOT
  let hash = size
  for (let index = 0; index < size; index++) hash = (hash * 31 + (bytes[start + index] as number)) | 0
  const slot = hash & (SLOTS - 1)
  const found = kept[slot]
  if (found === undefined || !isAt(found, bytes, start, size)) {
    kept[slot] = { name: read(), bytes: Uint8Array.from(bytes.subarray(start, start + size)) }
  }
  following[before] = slot
  return slot
}
