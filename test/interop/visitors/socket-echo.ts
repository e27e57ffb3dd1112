import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** An unmasked frame, RFC 6455 §5.2. */
export const frame = (opcode: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(10)
  head.writeUInt8(0x80 | opcode)
  if (payload.length < 126) return Buffer.concat([head.subarray(0, 2).fill(payload.length, 1), payload])
  if (payload.length < 65_536) {
    head.writeUInt8(126, 1)
    head.writeUInt16BE(payload.length, 2)
    return Buffer.concat([head.subarray(0, 4), payload])
  }
  head.writeUInt8(127, 1)
  head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

/** The frames of a visitor, whole messages only: put together, and without their masks. */
class Reader {
  #rest = Buffer.alloc(0)
  #parts: Buffer[] = []
  #opcode = 0
  readonly #onMessage: (opcode: number, payload: Buffer) => void

  constructor(onMessage: (opcode: number, payload: Buffer) => void) {
    this.#onMessage = onMessage
  }

  push(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      if (this.#rest.length < 6) return
      const short = this.#rest.readUInt8(1) & 127
      const head = short < 126 ? 6 : short === 126 ? 8 : 14
      if (this.#rest.length < head) return
      const length =
        short < 126 ? short : short === 126 ? this.#rest.readUInt16BE(2) : Number(this.#rest.readBigUInt64BE(2))
      if (this.#rest.length < head + length) return
      this.#frame(
        this.#rest.readUInt8(0),
        this.#rest.subarray(head - 4, head),
        this.#rest.subarray(head, head + length)
      )
      this.#rest = this.#rest.subarray(head + length)
    }
  }

  #frame(first: number, mask: Buffer, masked: Buffer): void {
    const payload = Buffer.from(masked)
    for (let index = 0; index < payload.length; index += 1)
      payload[index] = (masked[index] ?? 0) ^ (mask[index & 3] ?? 0)
    const opcode = first & 15
    const control = opcode >= 8
    if (control) this.#onMessage(opcode, payload)
    else {
      if (opcode !== 0) this.#opcode = opcode
      this.#parts.push(payload)
      if ((first & 128) !== 0) this.#onMessage(this.#opcode, Buffer.concat(this.#parts.splice(0)))
    }
  }
}

/** What a service knows of its WebSockets. */
export interface Echoed {
  /** Messages that came and went back. */
  messages: number
  /** Of those that the service sent first, how many came back as they were. */
  returned: number
}

/**
 * A WebSocket that says back what it is told. Told `start N`, it sends N messages of its own, `ask I`, which the visitor shall
 * answer with `re ask I`.
 */
export const echoSocket = (request: IncomingMessage, socket: Duplex, head: Buffer, echoed: Echoed): void => {
  const key = String(request.headers['sec-websocket-key'])
  const accept = createHash('sha1').update(`${key}${magic}`).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
  )
  let expected = 0
  const reader = new Reader((opcode, payload) => {
    if (opcode === 8) return void socket.end(frame(8, payload))
    if (opcode === 9) return void socket.write(frame(10, payload))
    if (opcode > 2) return
    const text = opcode === 1 && payload.length < 64 ? payload.toString() : ''
    const count = Number(/^start (\d+)$/.exec(text)?.[1] ?? 0)
    if (count > 0) {
      for (let index = 0; index < count; index += 1) socket.write(frame(1, Buffer.from(`ask ${index}`)))
    } else if (text.startsWith('re ask ')) {
      if (text === `re ask ${expected}`) echoed.returned += 1
      expected += 1
      if (expected === 1000) socket.write(frame(1, Buffer.from('all back')))
    } else {
      echoed.messages += 1
      socket.write(frame(opcode, payload))
    }
  })
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => reader.push(chunk))
  if (head.length > 0) reader.push(head)
}
