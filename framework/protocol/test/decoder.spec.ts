import { expect } from 'chai'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { encode, FrameDecoder, type Message } from '@rystra/protocol'
import { anyMessage, nearFrame } from './arbitraries.js'
import { cutAt, eachByte, outcomeOf } from './outcome.js'
import { messageOf, sample, unhex, vectors } from './vectors.js'

const limit = 65536
const session = vectors.messages.map(({ message }) => messageOf(message))
const wire = Buffer.concat(vectors.messages.map(({ frame }) => unhex(frame)))
const frames = (messages: readonly Message[]) => Buffer.concat(messages.map(encode))
const cuts = fc.array(fc.nat(4000), { maxLength: 12 })

/** Compares thousands of times: chai takes ten times as long, and is asked for its words when something differs. */
const expectSame = (found: unknown, expected: unknown, what?: string): void => {
  if (!isDeepStrictEqual(found, expected)) expect(found, what).to.deep.equal(expected)
}

describe('the frame decoder', () => {
  it('reads a session of every message in one piece', () => {
    expect(outcomeOf([wire], limit)).to.deep.equal({ messages: session, held: 0 })
  })

  it('reads it the same byte by byte', () => {
    expect(outcomeOf(eachByte(wire), limit).messages).to.deep.equal(session)
  })

  it('reads it the same whatever the place where it is cut in two', () => {
    // Each message with the next behind it: what is before a cut has been read.
    for (const [index, { frame }] of vectors.messages.entries()) {
      const two = vectors.messages.slice(index, index + 2).map(({ message }) => messageOf(message))
      const bytes = frames(two)
      for (let place = 0; place <= unhex(frame).length; place++)
        expectSame(outcomeOf(cutAt(bytes, [place]), limit).messages, two, `message ${index} cut at ${place}`)
    }
  })

  it('reads it the same in pieces of every size', () => {
    for (let size = 2; size < 300; size++) {
      const places = Array.from({ length: Math.ceil(wire.length / size) }, (_, index) => index * size)
      expectSame(outcomeOf(cutAt(wire, places), limit).messages, session, `pieces of ${size}`)
    }
  })

  it('gives back any message that was encoded', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(outcomeOf([encode(message)], limit)).to.deep.equal({ messages: [message], held: 0 })
      }),
      { numRuns: 500 }
    )
  })

  it('gives back any messages, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 6 }), cuts, (messages, places) => {
        expect(outcomeOf(cutAt(frames(messages), places), limit).messages).to.deep.equal(messages)
      })
    )
  })

  it('makes the same of any bytes however they are cut, throws nothing but coded errors, and holds one frame at most', () => {
    const bytes = fc
      .array(nearFrame(anyMessage.map(encode)), { minLength: 1, maxLength: 5 })
      .map((pieces) => Buffer.concat(pieces))
    fc.assert(
      fc.property(bytes, cuts, fc.constantFrom(16, 300, 4096), (input, places, bound) => {
        const whole = outcomeOf([input], bound)
        for (const pieces of [cutAt(input, places), eachByte(input)]) {
          const { messages, error, held } = outcomeOf(pieces, bound)
          expectSame({ messages, error }, { messages: whole.messages, error: whole.error })
          if (held > bound + 4) expect(held).to.be.at.most(bound + 4)
        }
        expect(whole.error ?? 'protocol.', 'code').to.match(/^protocol\./)
      }),
      { numRuns: 600 }
    )
  })

  it('looks only at the part of the buffer that it is given', () => {
    const { message, frame } = sample('OpenStream')
    const buffer = Buffer.concat([Uint8Array.of(0x7f, 0x7f), frame, Uint8Array.of(0x7f)])
    const decoder = new FrameDecoder()
    decoder.push(buffer, 2, 2 + frame.length)
    expect(decoder.next()).to.deep.equal(message)
    expect(decoder.next()).to.equal(undefined)
  })

  it('stops after a message, and gives up the bytes behind it in memory of their own', () => {
    const { message, frame } = sample('OpenStream')
    const payload = Buffer.from('SSH-2.0-OpenSSH_9.9\r\n')
    for (let place = 0; place <= frame.length; place++) {
      const decoder = new FrameDecoder()
      const [first, second] = cutAt(Buffer.concat([frame, payload]), [place]) as [Uint8Array, Uint8Array]
      decoder.push(first)
      let found = decoder.next()
      if (found === undefined) {
        decoder.push(second)
        found = decoder.next()
      } else expect(place).to.equal(frame.length)
      expect(found).to.deep.equal(message)
      const rest = Buffer.concat([decoder.rest(), ...(place === frame.length ? [second] : [])])
      expect(rest.toString(), `cut at ${place}`).to.equal(payload.toString())
      expect(decoder.rest().length, 'the rest is given once').to.equal(0)
    }
  })

  it('gives up the beginning of a frame as well', () => {
    const decoder = new FrameDecoder()
    decoder.push(Uint8Array.of(0x21, 0, 0))
    expect(decoder.next()).to.equal(undefined)
    expect(decoder.rest()).to.deep.equal(Uint8Array.of(0x21, 0, 0))
    decoder.push(sample('StreamReady').frame)
    expect(decoder.next()).to.deep.equal({ type: 'StreamReady' })
  })

  it('the rest does not change with the buffer it came in', () => {
    const buffer = Buffer.concat([sample('StreamReady').frame, Uint8Array.of(1, 2, 3)])
    const decoder = new FrameDecoder()
    decoder.push(buffer)
    decoder.next()
    const rest = decoder.rest()
    buffer.fill(0)
    expect(rest).to.deep.equal(Uint8Array.of(1, 2, 3))
  })

  it('once detached, does not need the buffer any more', () => {
    const buffer = Buffer.concat([sample('Heartbeat').frame, sample('OpenStream').frame])
    const decoder = new FrameDecoder()
    decoder.push(buffer)
    decoder.next()
    decoder.detach()
    buffer.fill(0)
    expect(decoder.next()).to.deep.equal(sample('OpenStream').message)
  })

  it('bytes in a message do not change with the buffer they came in', () => {
    const { message, frame } = sample('Auth')
    const buffer = Buffer.from(frame)
    const decoder = new FrameDecoder()
    decoder.push(buffer)
    const found = decoder.next()
    buffer.fill(0)
    expect(found).to.deep.equal(message)
  })

  it('shows the frame of the last message as it was on the wire', () => {
    const { frame } = sample('Hello')
    for (const pieces of [[frame], eachByte(frame)]) {
      const decoder = new FrameDecoder()
      for (const piece of pieces) {
        decoder.push(piece)
        decoder.next()
      }
      expect(new Uint8Array(decoder.frame)).to.deep.equal(frame)
    }
  })

  it('has a limit that can be raised between two messages', () => {
    const large = encode({ type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', text: 'x'.repeat(5000) } })
    const decoder = new FrameDecoder(4096)
    decoder.push(Buffer.concat([sample('Auth').frame, large, large]))
    expect(decoder.next()?.type).to.equal('Auth')
    decoder.limit = 65536
    expect(decoder.next()?.type).to.equal('RegisterProxy')
    decoder.limit = 4096
    expect(() => decoder.next())
      .to.throw()
      .with.property('code', 'protocol.too-large')
  })

  it('takes a body of exactly the limit', () => {
    const frame = encode({ type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'b', text: 'x'.repeat(500) } })
    expect(outcomeOf([frame], frame.length - 4).messages).to.have.length(1)
    expect(outcomeOf([frame], frame.length - 5).error).to.match(/^protocol.too-large/)
  })

  it('takes the largest body that there is, and sends it', () => {
    const spec = (length: number) => ({ name: 'a', kind: 'b', text: 'x'.repeat(length) })
    const overhead = encode({ type: 'RegisterProxy', request: 1, spec: spec(65000) }).length - 4 - 65000
    const message: Message = { type: 'RegisterProxy', request: 1, spec: spec(limit - overhead) }
    const frame = encode(message)
    expect(new Uint8Array(frame.subarray(0, 4))).to.deep.equal(Uint8Array.of(0x12, 1, 0, 0))
    expect(outcomeOf(cutAt(frame, [3, 70, 60000]), limit)).to.deep.equal({ messages: [message], held: 65540 })
  })

  it('says the same error again and again, and releases the bytes', () => {
    const decoder = new FrameDecoder()
    decoder.push(Uint8Array.of(0x7f, 0, 0, 0, 1, 2, 3))
    const errors = [1, 2].map(() => {
      try {
        return decoder.next()
      } catch (error) {
        return error
      }
    })
    expect(errors[0]).to.have.property('code', 'protocol.unexpected')
    expect(errors[1]).to.equal(errors[0])
    decoder.push(sample('StreamReady').frame)
    expect(() => decoder.next())
      .to.throw()
      .that.equals(errors[0])
  })

  it('does not take more before it is through with what it has', () => {
    const decoder = new FrameDecoder()
    decoder.push(Buffer.concat([sample('StreamReady').frame, sample('StreamReady').frame]))
    decoder.next()
    expect(() => decoder.push(Uint8Array.of(1)))
      .to.throw()
      .with.property('code', 'internal')
  })
})
