/** Frames of HTTP/2 written by hand, for requests that no client with manners would send. RFC 9113, RFC 7541. */
const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Without Huffman coding; up to 16,509 bytes. */
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'latin1')
  const rest = bytes.length - 127
  const length = rest < 0 ? [bytes.length] : rest < 128 ? [127, rest] : [127, (rest % 128) + 128, rest >> 7]
  return Buffer.concat([Buffer.from(length), bytes])
}

export type Field = readonly [name: string, value: string]

/** A connection with one request. */
export const h2Request = (fields: readonly Field[], body: string): Buffer => {
  const block = fields.map(([name, value]) => Buffer.concat([Buffer.alloc(1), text(name), text(value)]))
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(1, 4, 1, Buffer.concat(block)),
    frame(0, 1, 1, Buffer.from(body))
  ])
}

/** How many heads of answers there are in what a server sent, those of 1xx left out, and how it ended. */
export const h2Answers = (bytes: Buffer): { answers: number; how: string } => {
  let answers = 0
  let how = 'closed'
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const type = bytes.readUInt8(at + 3)
    if (type === 3) how = 'reset'
    if (type === 7) how = 'goaway'
    // An indexed :status of the static table: 8 is 200.
    if (type === 1 && bytes.readUInt32BE(at + 5) === 1) {
      answers += 1
      how = bytes.readUInt8(at + 9) === 0x88 ? '200' : 'refused'
    }
  }
  return { answers, how }
}
