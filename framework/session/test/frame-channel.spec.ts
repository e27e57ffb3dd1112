import { expect } from 'chai'
import fc from 'fast-check'
import { encode, type Message } from '@rystra/protocol'
import type { RystraError } from '@rystra/model'
import { FrameChannel } from '../src/frame-channel.js'
import { failure, pair, readUntilFor, turns, until } from './fakes.js'

const open = () => {
  const [near, far] = pair()
  const messages: Message[] = []
  const closes: (RystraError | undefined)[] = []
  let fail: unknown
  const channel = new FrameChannel(near, {
    onMessage: (message) => {
      messages.push(message)
      if (fail !== undefined) throw fail
    },
    onClose: (error) => closes.push(error)
  })
  return { near, far, channel, messages, closes, failWith: (error: unknown) => (fail = error) }
}

const beat = (seq: number): Message => ({ type: 'Heartbeat', seq, time: 1 })

describe('a control stream', () => {
  it('carries messages in order, whatever the split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
        const { far, messages, closes } = open()
        const bytes = Buffer.concat([1, 2, 3, 4].map((seq) => encode(beat(seq))))
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] as number
          far.write(bytes.subarray(at, at + size))
          at += size
        }
        await until(() => messages.length === 4, 'all came')
        expect(messages.map((message) => (message.type === 'Heartbeat' ? message.seq : 0))).to.deep.equal([1, 2, 3, 4])
        expect(closes).to.deep.equal([])
      }),
      { numRuns: 20 }
    )
  })

  it('ends without an error when the other side ends it, after the last message', async () => {
    const { far, messages, closes } = open()
    far.write(encode(beat(1)))
    far.end()
    await until(() => closes.length > 0, 'it ended')
    expect(closes).to.deep.equal([undefined])
    expect(messages.length).to.equal(1)
  })

  it('ends with session.lost when it is cut', async () => {
    const { near, closes } = open()
    near.destroy(new Error('cable'))
    await until(() => closes.length > 0, 'it ended')
    await turns(5)
    expect(closes.map((error) => error?.code)).to.deep.equal(['session.lost'])
    const other = open()
    other.near.destroy()
    await until(() => other.closes.length > 0, 'it ended')
    expect(other.closes.map((error) => error?.code)).to.deep.equal(['session.lost'])
  })

  it('ends once, with what was wrong, on garbage, and looks at nothing behind it', async () => {
    const cases: [Buffer, string][] = [
      [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'protocol.unexpected'],
      [Buffer.from([0x10, 0xff, 0xff, 0xff]), 'protocol.too-large'],
      [Buffer.from([0x10, 0, 0, 1, 0xc1]), 'protocol.malformed']
    ]
    for (const [garbage, code] of cases) {
      const { far, messages, closes } = open()
      far.write(Buffer.concat([garbage, encode(beat(1))]))
      far.write(encode(beat(2)))
      await until(() => closes.length > 0, 'it ended')
      await turns(5)
      expect(closes.map((error) => error?.code)).to.deep.equal([code])
      expect(messages).to.deep.equal([])
    }
  })

  it('never throws, whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const { far, closes } = open()
        far.end(Buffer.from(bytes))
        await until(() => closes.length > 0, 'it ended')
      }),
      { numRuns: 100 }
    )
  })

  it('does not take a fault of its own side for one of the other', async () => {
    const { far, closes, failWith } = open()
    failWith(new TypeError('a bug'))
    far.write(encode(beat(1)))
    await until(() => closes.length > 0, 'it ended')
    expect(closes[0]?.code).to.equal('internal')
  })

  it('gives up a peer that never reads, before much has piled up', () => {
    const { near, channel, closes } = open()
    let sent = 0
    while (closes.length === 0 && sent < 1_000_000) {
      channel.send(beat(1))
      sent += 1
    }
    expect(closes.map((error) => error?.code)).to.deep.equal(['session.lost'])
    expect(near.writableLength).to.be.within(1 << 20, 5 << 20)
    const before = near.writableLength
    channel.send(beat(1))
    expect(near.writableLength, 'it continued').to.equal(before)
  })

  it('sends what is queued before it ends, and says nothing to its own side', async () => {
    const { far, channel, closes } = open()
    channel.send(beat(7))
    channel.end()
    channel.send(beat(8))
    const [came, ended] = await readUntilFor(far)
    expect(came.equals(Buffer.from(encode(beat(7))))).to.equal(true)
    expect(ended).to.equal(true)
    expect(closes).to.deep.equal([])
  })

  it('refuses to send what the other side would refuse', async () => {
    const { channel, closes } = open()
    const error = await failure((async () => channel.send({ type: 'RequestLinks', count: 65 }))())
    expect(error.code).to.equal('protocol.malformed')
    expect(closes).to.deep.equal([])
  })
})
