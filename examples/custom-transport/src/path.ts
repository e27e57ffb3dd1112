import path from 'node:path'

/** Bytes that every system takes for the path of a socket: sun_path has 104 on macOS and 108 on Linux, with a zero at the end. */
const LONGEST = 103

/** The socket of an address. Throws when the path is longer than a socket's may be; some systems would cut it without a word. */
export const socketPath = (dir: string, address: string): string => {
  const file = path.resolve(dir, address)
  const length = Buffer.byteLength(file)
  if (length > LONGEST) throw new Error(`the path of the socket has ${length} bytes, ${LONGEST} are possible`)
  return file
}
