import { HEADROOM, type RawStream, rawOf } from '@rystra/bytes'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { crc32 } from 'node:zlib'

/** The streams of test/interop/yamux-peer/main.go, as the other end of them. */

export const LATE_ANSWER = 1 << 20
const BLOCK = 256 * 1024

/** Reads a raw stream to its end. The sum is that of the first `summed` bytes. */
export const drain = (raw: RawStream, summed = Infinity): Promise<{ length: number; sum: number; tail: Buffer }> =>
  new Promise((resolve, reject) => {
    let length = 0
    let sum = 0
    let tail: Buffer = Buffer.alloc(0)
    raw.onClose = (error) => reject(error ?? new Error('closed before its end'))
    raw.read({
      onBytes(buffer, start, end) {
        const bytes = buffer.subarray(start, end)
        sum = crc32(bytes.subarray(0, Math.max(0, Math.min(bytes.length, summed - length))), sum)
        length += bytes.length
        tail = Buffer.concat([tail, bytes.subarray(-16)]).subarray(-16)
        return true
      },
      onEnd: () => resolve({ length, sum, tail })
    })
  })

/** Sends `length` bytes that differ from block to block, the way a relay does: lent memory, used again. */
export const send = (raw: RawStream, length: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const memory = Buffer.alloc(HEADROOM + BLOCK)
    for (let index = 0; index < BLOCK; index++) memory[HEADROOM + index] = index * 7 + (index >> 8)
    let at = 0
    let sum = 0
    const more = (): void => {
      while (at < length) {
        const end = HEADROOM + Math.min(BLOCK, length - at)
        memory.writeBigUInt64BE(BigInt(at), HEADROOM)
        sum = crc32(memory.subarray(HEADROOM, end), sum)
        at += end - HEADROOM
        if (!raw.write(memory, HEADROOM, end, false)) return
      }
      raw.onWritable = undefined
      resolve(sum)
    }
    raw.onWritable = more
    raw.onClose = (error) => reject(error ?? new Error('closed early'))
    more()
  })

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const lengthAndSum = (length: number, sum: number): Buffer => {
  const bytes = Buffer.alloc(12)
  bytes.writeBigUInt64BE(BigInt(length))
  bytes.writeUInt32BE(sum, 8)
  return bytes
}

/** Reads so many bytes, or what there is until the end. */
export const take = async (stream: Duplex, count: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let have = 0
  for (;;) {
    const chunk = (stream.read(Math.min(count - have, stream.readableLength || 1)) ?? undefined) as Buffer | undefined
    if (chunk !== undefined) {
      chunks.push(chunk)
      have += chunk.length
    }
    if (have >= count || stream.readableEnded || stream.destroyed) return Buffer.concat(chunks)
    if (chunk === undefined) {
      await new Promise<void>((resolve) => {
        const check = (): void => {
          for (const event of ['readable', 'end', 'close']) stream.off(event, check)
          resolve()
        }
        for (const event of ['readable', 'end', 'close']) stream.on(event, check)
      })
    }
  }
}

/** Does what the opener of a stream asks for in its first byte. */
export const serve = async (stream: Duplex): Promise<void> => {
  stream.on('error', () => {})
  const what = String(await take(stream, 1))
  if (what === 'E') {
    stream.pipe(stream)
  } else if (what === 'S') {
    const raw = rawOf(stream)
    const { length, sum } = await drain(raw)
    raw.write(lengthAndSum(length, sum), 0, 12, false)
    raw.end()
  } else if (what === 'G') {
    const length = Number((await take(stream, 8)).readBigUInt64BE())
    const raw = rawOf(stream)
    raw.write(u32(await send(raw, length)), 0, 4, false)
    raw.end()
    raw.read({ onBytes: () => true, onEnd() {} })
  } else if (what === 'L') {
    await once(stream.resume(), 'end')
    await new Promise((resolve) => setTimeout(resolve, 300))
    stream.end(Buffer.alloc(LATE_ANSWER))
  }
}
