import { expect } from 'chai'
import { encode, FrameDecoder, type Message } from '@rystra/protocol'
import { Encoder } from '@msgpack/msgpack'
import { outcomeOf } from './outcome.js'
import { sample, unhex } from './vectors.js'

const encoder = new Encoder()

/** A frame with a body that `encode` would refuse. */
const frameOf = (type: number, body: Uint8Array): Uint8Array =>
  Uint8Array.of(type, body.length >>> 16, body.length >>> 8, body.length, ...body)

const errorOf = (frame: Uint8Array, limit = 65536): string | undefined => outcomeOf([frame], limit).error

const registration = (fields: object) =>
  frameOf(0x12, encoder.encode({ request: 1, spec: { name: 'a', kind: 'b', ...fields } }))

describe('a hostile peer', () => {
  it('is refused at the header of an oversized frame, before a byte of the body', () => {
    const decoder = new FrameDecoder(4096)
    decoder.push(Uint8Array.of(0x01, 0xff, 0xff))
    expect(decoder.next()).to.equal(undefined)
    decoder.push(Uint8Array.of(0xff))
    expect(() => decoder.next())
      .to.throw()
      .with.property('code', 'protocol.too-large')
    expect(decoder.held).to.equal(0)
  })

  it('cannot make it hold more than one frame by never ending it', () => {
    const decoder = new FrameDecoder(4096)
    decoder.push(Uint8Array.of(0x01, 0x00, 0x10, 0x00))
    for (let sent = 0; sent < 4095; sent++) {
      expect(decoder.next()).to.equal(undefined)
      expect(decoder.held).to.be.at.most(4100)
      decoder.push(Uint8Array.of(0x80))
    }
    expect(decoder.next()).to.equal(undefined)
  })

  it('cannot make it hold anything with frames that are ignored', () => {
    const decoder = new FrameDecoder(4096)
    const frame = frameOf(0xff, new Uint8Array(4096))
    for (let count = 1; count <= 1000; count++) {
      decoder.push(frame, 0, 2000)
      expect(decoder.next()).to.equal(undefined)
      decoder.push(frame, 2000)
      expect(decoder.next()).to.equal(undefined)
      expect(decoder.held).to.equal(0)
      expect(decoder.ignored).to.equal(count)
    }
    decoder.push(sample('StreamReady').frame)
    expect(decoder.next()).to.deep.equal({ type: 'StreamReady' })
  })

  it('cannot nest deeply, at any size that fits into a frame', () => {
    for (const [head, what] of [
      [[0x91], 'arrays'],
      [[0x81, 0xa1, 0x78], 'maps'],
      [[0xdc, 0x00, 0x01], 'arrays with a long header'],
      [[0xdf, 0x00, 0x00, 0x00, 0x01, 0xa0], 'maps with a long header']
    ] as const) {
      const levels = Array.from({ length: Math.floor(60000 / head.length) }, () => head).flat()
      const body = Uint8Array.of(0x81, 0xa1, 0x78, ...levels, 0xc0)
      expect(errorOf(frameOf(0x21, body)), what).to.equal('protocol.malformed: nested too deeply')
    }
  })

  it('may nest as deep as the limit says', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
    // The body and the spec are two levels.
    expect(errorOf(registration({ deep: nested(6) }))).to.equal(undefined)
    expect(errorOf(registration({ deep: nested(7) }))).to.equal('protocol.malformed: nested too deeply')
  })

  it('cannot make small bytes blow up to many values', () => {
    expect(errorOf(registration({ list: new Array(4000).fill(0) }))).to.equal(undefined)
    expect(errorOf(registration({ list: new Array(4100).fill(0) }))).to.equal('protocol.malformed: too many values')
  })

  it('cannot have an array allocated that its bytes do not fill', () => {
    for (const head of ['dcffff', 'dd00100000', 'ddffffffff', 'deffff', 'df7fffffff']) {
      const body = unhex(`81a178${head}${'c0'.repeat(100)}`)
      expect(errorOf(frameOf(0x21, body)), head).to.equal('protocol.malformed: the body ends too early')
    }
  })

  it('cannot say more bytes than there are in strings and binaries', () => {
    for (const head of [
      'a5',
      'd9ff',
      'daffff',
      'dbffffffff',
      'c4ff',
      'c5ffff',
      'c6ffffffff',
      'cf00',
      'd3',
      'cb',
      'dd',
      'da00'
    ]) {
      expect(errorOf(frameOf(0x21, unhex(`81a178${head}`))), head).to.equal(
        'protocol.malformed: the body ends too early'
      )
    }
    for (const head of ['81', '81a5', '81d9ff', '81dbffffffff61']) {
      expect(errorOf(frameOf(0x21, unhex(head))), head).to.equal('protocol.malformed: the body ends too early')
    }
  })

  it('cannot hide anything behind a body', () => {
    for (const body of ['80c0', '8080', '81a178c0ff', '8000']) {
      expect(errorOf(frameOf(0x21, unhex(body))), body).to.equal('protocol.malformed: bytes behind the body')
    }
  })

  it('cannot use extension types, time stamps among them', () => {
    for (const value of [
      'd4ff00',
      'd5ff0000',
      'd6ff00000000',
      'd7ff0000000000000000',
      'c70001',
      'c80000ff',
      'c900000000ff',
      'c1'
    ]) {
      expect(errorOf(frameOf(0x21, unhex(`81a178${value}`))), value).to.equal(
        'protocol.malformed: a type of value that is not allowed'
      )
    }
  })

  it('cannot change prototypes, at any depth', () => {
    const key = `a9${Buffer.from('__proto__').toString('hex')}`
    for (const body of [
      `81${key}81a178c3`,
      `81a17881${key}81a178c3`,
      `81a1789181${key}c0`,
      `81d909${key.slice(2)}80`
    ]) {
      expect(errorOf(frameOf(0x21, unhex(body))), body).to.equal('protocol.malformed: a key that is not allowed')
    }
    expect(({} as { x?: unknown }).x).to.equal(undefined)
    expect(() =>
      encode({ type: 'RegisterProxy', request: 1, spec: JSON.parse('{"name":"a","kind":"b","__proto__":1}') })
    )
      .to.throw()
      .with.property('code', 'protocol.malformed')
  })

  it('gains nothing from keys that objects have anyway', () => {
    const spec = { name: 'a', kind: 'b', constructor: 1, toString: 'x', hasOwnProperty: false }
    const outcome = outcomeOf([encode({ type: 'RegisterProxy', request: 1, spec })], 4096)
    expect(outcome.messages).to.deep.equal([{ type: 'RegisterProxy', request: 1, spec }])
  })

  it('cannot say the same key twice, at any depth', () => {
    for (const body of ['82a17801a17802', '81a17882a17901a17902', '81a1789182a17901a17902', '82a17801d9017802']) {
      expect(errorOf(frameOf(0x21, unhex(body))), body).to.equal('protocol.malformed: a key occurs twice')
    }
  })

  it('cannot send strings that are not UTF-8: stray, cut, overlong, halves of pairs, too high', () => {
    for (const text of ['80', 'c3', 'e282', 'c080', 'e08080', 'eda080', 'edb080', 'f4908080', 'f8', 'ff']) {
      const head = (0xa0 + text.length / 2).toString(16)
      expect(errorOf(frameOf(0x21, unhex(`81a178${head}${text}`))), `value ${text}`).to.match(/not UTF-8/)
      expect(errorOf(frameOf(0x21, unhex(`81${head}${text}c0`))), `key ${text}`).to.match(/not UTF-8/)
    }
  })

  it('cannot put control characters into names, where they would reach a terminal', () => {
    for (const id of ['\u001b[2J', 'a\nb', '\u0000', '\u007f', '\u009b31m', 'a\u202eb', '\u2066', 'a\u2028b']) {
      const { message } = sample('OpenStream')
      const { type: _type, ...fields } = { ...message, id } as Record<string, unknown>
      expect(errorOf(frameOf(0x20, encoder.encode(fields))), JSON.stringify(id)).to.match(
        /^protocol.malformed: OpenStream: \/id/
      )
      expect(() => encode({ ...message, id } as Message))
        .to.throw()
        .with.property('code', 'protocol.malformed')
    }
  })

  it('cannot send numbers that are NaN, too large, or not integers', () => {
    for (const seq of [
      'cbfff8000000000000',
      'cb7ff0000000000000',
      'cf0020000000000000',
      'cfffffffffffffffff',
      'ff',
      'cb3ff8000000000000'
    ]) {
      const body = unhex(`82a3736571${seq}a474696d6501`)
      expect(errorOf(frameOf(0x10, body)), seq).to.match(/^protocol.malformed: Heartbeat: \/seq/)
    }
    expect(errorOf(registration({ weight: Number.NaN }))).to.match(/plain values/)
    expect(errorOf(registration({ weight: Number.POSITIVE_INFINITY }))).to.match(/plain values/)
  })

  it('is told the path of what is wrong, and never the value', () => {
    const secret = 'hunter2-hunter2'
    const error = errorOf(frameOf(0x12, encoder.encode({ request: secret, spec: { name: 'a', kind: 'b' } })))
    expect(error)
      .to.match(/^protocol.malformed: RegisterProxy: \/request: /)
      .and.not.contain(secret)
  })

  it('that is newer than this end may add fields, which are left out', () => {
    const body = encoder.encode({ name: 'a', added: new Uint8Array(3), error: { code: 'x', added: [1] } })
    expect(outcomeOf([frameOf(0x14, body)], 4096).messages).to.deep.equal([
      { type: 'UnregisterProxy', name: 'a', error: { code: 'x' } }
    ])
  })

  it('that is newer than this end may add optional messages, but none that this end must know', () => {
    for (const type of [0x80, 0xa5, 0xff]) {
      const bytes = Buffer.concat([frameOf(type, unhex('ffffff')), sample('StreamReady').frame])
      expect(outcomeOf([bytes], 4096).messages).to.deep.equal([{ type: 'StreamReady' }])
    }
    for (const type of [0x00, 0x09, 0x2f, 0x7f]) {
      expect(errorOf(Uint8Array.of(type, 0, 0, 0))).to.match(/^protocol.unexpected: unknown type 0x/)
    }
  })
})

describe('this end', () => {
  it('sends nothing that the other side would refuse', () => {
    const refused: [string, unknown, string][] = [
      ['a field missing', { type: 'RequestLinks' }, 'protocol.malformed'],
      ['a nonce of 31 bytes', { ...sample('Hello').message, nonce: new Uint8Array(31) }, 'protocol.malformed'],
      ['a long name', { type: 'UnregisterProxy', name: 'x'.repeat(129) }, 'protocol.malformed'],
      ['half a pair', { type: 'UnregisterProxy', name: 'a\ud83d' }, 'protocol.malformed'],
      [
        'half a pair as a key',
        { type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', '\ud83d': 1 } },
        'protocol.malformed'
      ],
      [
        'a date',
        { type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', at: new Date() } },
        'protocol.malformed'
      ],
      [
        'a function',
        { type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', at: () => 1 } },
        'protocol.malformed'
      ],
      ['a bigint', { type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', at: 1n } }, 'protocol.malformed'],
      [
        'a large spec',
        { type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', at: 'x'.repeat(70000) } },
        'protocol.too-large'
      ],
      [
        'a Hello over the limit before authentication',
        {
          ...sample('Hello').message,
          id: '☃'.repeat(128),
          instance: '☃'.repeat(128),
          agent: '☃'.repeat(128),
          muxers: new Array(16).fill('☃'.repeat(64))
        },
        'protocol.too-large'
      ]
    ]
    for (const [what, message, code] of refused) {
      expect(() => encode(message as Message), what)
        .to.throw()
        .with.property('code', code)
    }
  })

  it('leaves out fields that are undefined, at any depth', () => {
    const message: Message = {
      type: 'RegisterProxy',
      request: 1,
      spec: { name: 'ssh', kind: 'tcp', port: 20022, host: undefined }
    }
    expect(encode(message)).to.deep.equal(Buffer.from(sample('RegisterProxy').frame))
    const gone: Message = { type: 'UnregisterProxy', name: 'ssh', error: undefined }
    expect(encode(gone)).to.deep.equal(Buffer.from(sample('UnregisterProxy').frame))
  })

  it('sends the fields in the order of the specification, whatever the order they are given in', () => {
    const { message, frame } = sample('OpenStream')
    const turned = Object.fromEntries(Object.entries(message).reverse()) as unknown as Message
    expect(encode(turned)).to.deep.equal(Buffer.from(frame))
  })

  it('gives each caller memory of its own', () => {
    const { message, frame } = sample('StreamReady')
    const first = encode(message)
    first.fill(0)
    expect(new Uint8Array(encode(message))).to.deep.equal(frame)
  })
})
