import { expect } from 'chai'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { readMessagePack } from '../src/codec/msgpack-reader.js'
import type { RpcError } from '../src/error.js'
import { MAX_BODY_DEPTH, MAX_BODY_ITEMS } from '../src/limits.js'
import { msgpack } from '../src/index.js'

const packr = new Packr({ useRecords: false })
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const refusal = (bytes: Buffer): string => {
  try {
    readMessagePack(bytes)
  } catch (error) {
    expect((error as RpcError).code).to.equal('rpc.invalid')
    return (error as Error).message
  }
  return 'read'
}

describe('the reader of MessagePack', () => {
  const key = fc.oneof(fc.constantFrom('a', 'id', 'name', 'größe'), fc.string({ maxLength: 40 }))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, tie('leaf'), tie('list'), tie('record')),
    list: fc.array(tie('value'), { maxLength: 20 }),
    record: fc.dictionary(
      key.filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 20, noNullPrototype: true }
    ),
    leaf: fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.constantFrom('', '\ufffd', 'x'.repeat(7000), null, undefined, true, false, Number.NaN, Infinity),
      // msgpackr writes -0 as 0.
      fc.double().map((number) => number || 0),
      fc.integer({ min: -(2 ** 31), max: 2 ** 32 }),
      fc.maxSafeInteger(),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.date({ noInvalidDate: true, min: new Date(-1e13), max: new Date(1e14) })
    )
  }))

  it('reads what is written, and as msgpackr reads it', () => {
    fc.assert(
      fc.property(value, (given) => {
        const bytes = Buffer.from(msgpack.encode(given))
        const read = msgpack.decode(bytes)
        bytes.fill(0xff)
        expect(read).to.deep.equal(given)
        expect(read).to.deep.equal(packr.unpack(msgpack.encode(given)))
      }),
      { numRuns: 100 }
    )
  })

  it('reads each form of a number, a time stamp and a text', () => {
    for (const [bytes, expected] of [
      ['ca 3fc00000', 1.5],
      ['d3 ffffffff ffffffff', -1],
      ['cf 0000000100000000', 2 ** 32],
      ['d1 8000', -32_768],
      ['d9 01 61', 'a'],
      ['da 0001 61', 'a'],
      ['db 00000001 61', 'a'],
      ['df 00000001 da 0001 61 01', { a: 1 }],
      ['dd 00000001 01', [1]],
      [`db 00011170 ${'61'.repeat(70_000)}`, 'a'.repeat(70_000)],
      ['d4 00 00', undefined],
      ['d6 ff 00000001', new Date(1000)],
      ['d7 ff 0000000400000001', new Date(1000)],
      ['c7 0c ff 3b023380 ffffffff ffffffff', new Date(-10)]
    ] as const) {
      expect(readMessagePack(hex(bytes)), bytes.slice(0, 40)).to.deep.equal(expected)
    }
  })

  it('reads records with more keys than are kept, and with those of another connection in between', () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`key-${index}`, index]))
    const wide = Object.fromEntries(Array.from({ length: 40 }, (_, index) => ['k'.repeat(index + 1), index]))
    for (const given of [many, { a: 1, b: 2 }, many, { b: 1, a: 2 }, wide, { a: 1, c: 2 }]) {
      expect(readMessagePack(Buffer.from(packr.pack(given)))).to.deep.equal(given)
    }
  })

  it('refuses what is half, hostile or behind the body, before anything is allocated for it', () => {
    for (const [bytes, detail] of [
      ['', 'ends too early'],
      ['92 01', 'ends too early'],
      ['dd ffffffff 01', 'ends too early'],
      ['df 7fffffff 01', 'ends too early'],
      ['81 a1 61', 'ends too early'],
      ['a5 61', 'ends too early'],
      ['cb 00', 'ends too early'],
      ['81 01 01', 'a key is not a text'],
      ['81 a9 5f5f70726f746f5f5f 80', 'not allowed'],
      ['81 da 0009 5f5f70726f746f5f5f 80', 'not allowed'],
      ['a2 c3 28', 'not UTF-8'],
      ['81 a2 c3 28 01', 'not UTF-8'],
      ['aa 61616161616161616 1ff', 'not UTF-8'],
      ['c1', 'not allowed'],
      ['d5 72 40 01', 'not allowed'],
      ['d4 72 40', 'not allowed'],
      ['c7 04 ff 00000001', 'not allowed'],
      ['c8 0001 00 00', 'not allowed'],
      ['01 02', 'behind the body'],
      ['91'.repeat(MAX_BODY_DEPTH + 1).concat('01'), 'nested too deeply'],
      ['81 a1 61'.repeat(MAX_BODY_DEPTH + 1).concat('01'), 'nested too deeply']
    ] as const) {
      expect(refusal(hex(bytes)), bytes.slice(0, 40)).to.include(detail)
    }
    const head = Buffer.alloc(5, 0xdd)
    head.writeUInt32BE(MAX_BODY_ITEMS, 1)
    expect(refusal(Buffer.concat([head, Buffer.alloc(MAX_BODY_ITEMS)]))).to.include('too many values')
    expect(readMessagePack(hex(`${'91'.repeat(MAX_BODY_DEPTH)} 01`))).to.be.an('array')
  })

  it('fails for bytes of any kind with rpc.invalid alone', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void refusal(Buffer.from(bytes))))
  })
})
