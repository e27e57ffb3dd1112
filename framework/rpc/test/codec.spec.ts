import { expect } from 'chai'
import fc from 'fast-check'
import { codecsOf, decodeBody } from '../src/codec/codecs.js'
import type { RpcError } from '../src/error.js'
import { decodeMetadata, encodeMetadata } from '../src/frame/metadata.js'
import { FrameReader } from '../src/frame/reader.js'
import { isFrame } from '../src/frame/types.js'
import { json, msgpack, raw } from '../src/index.js'
import { settingsOf } from '../src/session/settings.js'
import { UnreliableReader } from '../src/session/unreliable-reader.js'
import { frame, samples } from './frames.js'
import { hello, victim } from './victim.js'

describe('the codec', () => {
  const metadata = fc.dictionary(
    fc
      .string({ minLength: 1, maxLength: 20 })
      .filter((key) => /^[^\p{Cc}]+$/u.test(key) && Buffer.byteLength(key) < 100),
    fc.string({ maxLength: 50 }).filter((value) => /^[^\p{Cc}]*$/u.test(value)),
    { maxKeys: 10 }
  )

  it('reads metadata as they were written', () => {
    fc.assert(
      fc.property(metadata, (given) => {
        const bytes = encodeMetadata(given)
        expect({ ...decodeMetadata(bytes, 0, bytes.length) }).to.deep.equal({ ...given })
      })
    )
  })

  it('reads the same frames, however they are cut', () => {
    const whole = Buffer.concat(Object.values(samples()))
    const read = (cuts: readonly number[]): string[] => {
      const seen: string[] = []
      const reader = new FrameReader({
        onFrame: (type, flags, id, bytes, start, end) =>
          void seen.push(`${type} ${flags} ${id} ${bytes.toString('hex', start, end)}`),
        onEnd: () => void seen.push('end'),
        onFailed: (error) => void seen.push(String(error))
      })
      const places = [...new Set([0, ...cuts.map((cut) => cut % whole.length), whole.length])].sort((a, b) => a - b)
      for (const [index, place] of places.slice(0, -1).entries()) {
        // Lent memory is overwritten once it was read.
        const part = Buffer.from(whole.subarray(place, places[index + 1]))
        reader.onBytes(part, 0, part.length, true)
        part.fill(0xff)
      }
      reader.onEnd()
      return seen
    }
    const expected = read([])
    expect(expected).to.have.length(Object.keys(samples()).length + 2)
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 30 }), (cuts) => void expect(read(cuts)).to.deep.equal(expected))
    )
  })

  it('brings back what it was given, in MessagePack and JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const plain = JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown
        for (const codec of [msgpack, json]) expect(codec.decode(Buffer.from(codec.encode(plain)))).to.deep.equal(plain)
      })
    )
  })

  it('copies bytes of any size once, and no two into the same memory', () => {
    const sizes = [0, 1, 4096, 4097, 16_384, 32_768, 32_769, 100_000]
    const lent = Buffer.alloc(100_000)
    const copies = Array.from({ length: 40 }, (_, index) => {
      const size = sizes[index % sizes.length] as number
      lent.fill(index)
      return raw.decode(lent.subarray(0, size)) as Buffer
    })
    for (const [index, copy] of copies.entries()) {
      expect(copy.equals(Buffer.alloc(sizes[index % sizes.length] as number, index)), `${index}`).to.equal(true)
    }
  })

  it('answers garbage with a coded error, and never with anything else', async () => {
    const codecs = codecsOf()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(4), (bytes, codec) => {
        try {
          decodeBody(codecs, codec, Buffer.from(bytes), false)
        } catch (error) {
          expect((error as RpcError).code).to.equal('rpc.invalid')
        }
      })
    )
    const reader = new UnreliableReader(settingsOf())
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void reader.read(Buffer.from(bytes))))
    const garbage = fc.array(
      fc
        .tuple(fc.nat(0x14), fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 24 }))
        .map(([type, flags, id, rest]) => {
          const allowed = [...Array(8).keys()].map((bit) => 1 << bit).filter((bit) => isFrame(type, bit))
          return frame(type, rest, { flags: allowed.reduce((all, bit) => all | (flags & bit), 0), id })
        }),
      { minLength: 1, maxLength: 8 }
    )
    await fc.assert(
      fc.asyncProperty(garbage, async (frames) => {
        const { over, far } = victim()
        far.end(Buffer.concat([hello, ...frames]))
        expect(await over).to.be.oneOf(['end', 'rpc.protocol', 'rpc.lost'])
      }),
      { numRuns: 100 }
    )
  })
})
