import { frame, heads, preface } from '../../e2e/h2-frames.js'

export type Field = readonly [name: string, value: string]

/** A connection with one request, whatever its fields are. */
export const h2Request = (fields: readonly Field[], body: string): Buffer =>
  Buffer.concat([preface, heads(1, fields, false), frame(0, 1, 1, Buffer.from(body))])

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
