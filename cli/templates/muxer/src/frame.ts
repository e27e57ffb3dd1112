/** Types of frames. */
export const [open, data, end, reset, credit, away, close] = [1, 2, 3, 4, 5, 6, 7] as const

/** A frame: number of the stream, 4 bytes; type, 1 byte; length of the body, 4 bytes; the body. */
export const headerBytes = 9
export const largestBody = 32_768
