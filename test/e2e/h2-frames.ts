/** Frames of HTTP/2 by hand, for what a client with manners would not send. RFC 9113 §4.1. */
export const frame = (type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

/** What a client begins with, and its settings. */
export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)])

/** A string of HPACK without Huffman coding, RFC 7541 §5.2. */
const hpackString = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const rest: number[] = []
  let value = bytes.length - 127
  for (; value >= 128; value = Math.floor(value / 128)) rest.push((value % 128) + 128)
  return Buffer.concat([Buffer.from([127, ...rest, value]), bytes])
}

/** A whole head of a request. */
export const heads = (id: number, fields: readonly (readonly [string, string])[], end: boolean): Buffer => {
  const block = fields.flatMap(([name, value]) => [Buffer.from([0]), hpackString(name), hpackString(value)])
  return frame(1, end ? 5 : 4, id, Buffer.concat(block))
}
