import { expect } from 'chai'
import type { RawReader, Verdict } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { encode, errorFrame, type Message, streamReadyFrame } from '@rystra/protocol'
import { OutgoingStream, readMessage, refuseStream } from '../src/index.js'
import { FakeClock, FakeRaw, turns } from './fakes.js'

const openStream: Message = {
  type: 'OpenStream',
  id: '1',
  proxy: 'web',
  visitor: ['192.0.2.1', 1],
  to: ['192.0.2.2', 80]
}

/** Takes down what it gets. */
class Sink implements RawReader {
  text = ''
  ends = 0
  answer: Verdict = true
  onBytes(buffer: Buffer, start: number, end: number): Verdict {
    this.text += buffer.toString('latin1', start, end)
    return this.answer
  }
  onEnd(): void {
    this.ends += 1
  }
}

const outcome = (raw: FakeRaw): { messages: Message[]; errors: Error[] } => {
  const seen = { messages: [] as Message[], errors: [] as Error[] }
  readMessage(raw, { onMessage: (message) => seen.messages.push(message), onError: (error) => seen.errors.push(error) })
  return seen
}

const feed = (raw: FakeRaw, bytes: Buffer): Verdict => {
  // As a source lends memory: it is overwritten afterwards.
  const lent = Buffer.from(bytes)
  const verdict = (raw.reader as RawReader).onBytes(lent, 0, lent.length, true)
  lent.fill(0xee)
  return verdict
}

describe('the head of a data stream', () => {
  it('is read at every split, and what is behind it stays for the next reader', async () => {
    const bytes = Buffer.concat([encode(openStream), Buffer.from('payload')])
    const head = bytes.length - 7
    for (let split = 1; split < bytes.length; split += 1) {
      const raw = new FakeRaw()
      const seen = outcome(raw)
      const first = feed(raw, bytes.subarray(0, split))
      if (split < head) {
        expect(first).to.equal(true)
        expect(feed(raw, bytes.subarray(split))).to.equal(false)
      } else if (feed(raw, bytes.subarray(split)) !== false) throw new Error('it goes on reading')
      expect(seen.messages, 'in a turn of its own').to.deep.equal([])
      await Promise.resolve()
      expect(seen.messages).to.deep.equal([openStream])
      const sink = new Sink()
      const rest = raw.back.map(String).sort((a, b) => b.length - a.length)
      expect(rest.join('').length, `split at ${split}`).to.equal(7)
      raw.read(sink)
      expect(sink.text.length).to.equal(7)
      expect(seen.errors).to.deep.equal([])
    }
  })

  it('fails once on garbage, on an end before it is whole, on a reset, and on a stream that is over', async () => {
    const garbage = new FakeRaw()
    const one = outcome(garbage)
    feed(garbage, Buffer.from('GET / HTTP/1.1'))
    feed(garbage, Buffer.from('more'))
    garbage.close(new Error('gone'))
    await turns(1)
    expect(one.errors.map((error) => (error as RystraError).code)).to.deep.equal(['protocol.unexpected'])
    const early = new FakeRaw()
    const two = outcome(early)
    feed(early, Buffer.from(encode(openStream)).subarray(0, 5))
    early.reader?.onEnd()
    early.close()
    await turns(1)
    expect(two.errors.map((error) => (error as RystraError).code)).to.deep.equal(['stream.reset'])
    const cut = new FakeRaw()
    const three = outcome(cut)
    cut.close(new Error('read ECONNRESET'))
    await turns(1)
    expect(three.errors.map(({ message }) => message)).to.deep.equal(['read ECONNRESET'])
    const over = new FakeRaw()
    over.close()
    const four = outcome(over)
    await turns(1)
    expect(four.errors.length).to.equal(1)
  })

  it('may not be larger than a first frame', async () => {
    const raw = new FakeRaw()
    const seen = outcome(raw)
    feed(raw, Buffer.from([0x20, 0, 0x10, 0x01]))
    await turns(1)
    expect(seen.errors.map((error) => (error as RystraError).code)).to.deep.equal(['protocol.too-large'])
  })
})

describe('a stream that this end has opened', () => {
  const opened = () => {
    const [raw, clock, sink] = [new FakeRaw(), new FakeClock(), new Sink()]
    const stream = new OutgoingStream(raw, {
      side: 'client',
      head: Buffer.from('head'),
      flow: undefined,
      clock,
      timeout: undefined
    })
    const seen = { ready: 0, refused: [] as RystraError[], closed: [] as (Error | undefined)[] }
    stream.ready().then(
      () => {
        seen.ready += 1
      },
      (error: RystraError) => void seen.refused.push(error)
    )
    stream.onClose = (error) => seen.closed.push(error)
    return { raw, clock, sink, stream, seen }
  }
  const answer = Buffer.concat([streamReadyFrame, Buffer.from('hello visitor')])

  it('takes the answer off at every split, and gives the reader what is behind it', async () => {
    for (let split = 1; split < answer.length; split += 1) {
      for (const early of [true, false]) {
        const { raw, sink, stream, seen } = opened()
        if (early) stream.read(sink)
        const behind = feed(raw, answer.subarray(0, split))
        if (behind === false) await turns(1)
        if (!early && behind === false) stream.read(sink)
        feed(raw, answer.subarray(split))
        await turns(1)
        if (!early && behind !== false) stream.read(sink)
        raw.reader?.onEnd()
        expect([sink.text, sink.ends, seen.ready, seen.refused.length]).to.deep.equal(['hello visitor', 1, 1, 0])
        expect(stream.received).to.equal('hello visitor'.length)
      }
    }
  })

  it('sends what is written at once, behind the head and in one write with it', () => {
    const { raw, stream } = opened()
    const bytes = Buffer.from('first')
    expect(stream.write(bytes, 0, bytes.length, false)).to.equal(true)
    expect(raw.written.map(String)).to.deep.equal(['headfirst'])
    expect(stream.written).to.equal(5)
  })

  it('sends the head alone when nothing is written', async () => {
    const { raw } = opened()
    await turns(3)
    expect(raw.written.map(String)).to.deep.equal(['head'])
  })

  it('is reset with the error that the other end sent, and lets nothing behind it through', async () => {
    const { raw, sink, stream, seen } = opened()
    stream.read(sink)
    const frame = errorFrame(new RystraError('stream.service-unreachable', { detail: 'web' }), { detail: true })
    feed(raw, Buffer.concat([frame, Buffer.from('not for the visitor')]))
    await turns(1)
    expect(seen.refused.map(({ code }) => code)).to.deep.equal(['stream.service-unreachable'])
    expect(seen.closed).to.deep.equal(seen.refused)
    expect([sink.text, sink.ends, seen.ready, stream.abandoned]).to.deep.equal(['', 0, 0, false])
    expect(raw.calls).to.deep.equal(['reset'])
  })

  it('is reset by anything else, by an end and by silence, once', async () => {
    for (const [code, happens] of [
      ['protocol.unexpected', (raw: FakeRaw) => feed(raw, Buffer.from('HTTP/1.1 200 OK'))],
      ['protocol.unexpected', (raw: FakeRaw) => feed(raw, Buffer.from(encode(openStream)))],
      ['stream.reset', (raw: FakeRaw) => raw.reader?.onEnd()],
      ['stream.reset', (raw: FakeRaw) => raw.close(new Error('read ECONNRESET'))],
      ['stream.timeout', (_raw: FakeRaw, clock: FakeClock) => clock.pass(30_000)]
    ] as const) {
      const { raw, clock, seen } = opened()
      happens(raw, clock)
      await turns(1)
      clock.pass(60_000)
      expect(seen.refused.map((error) => error.code)).to.deep.equal([code])
      expect(seen.closed.length).to.equal(1)
      expect(clock.timers.size).to.equal(0)
    }
  })

  it('says that this end gave it up before there was an answer', async () => {
    const { stream, seen } = opened()
    stream.reset()
    await turns(1)
    expect([stream.abandoned, seen.refused.map(({ code }) => code)]).to.deep.equal([true, ['stream.reset']])
  })
})

describe('a stream that is refused', () => {
  it('says why, ends, and leaves the reset to the other side', () => {
    const [raw, clock] = [new FakeRaw(), new FakeClock()]
    refuseStream(raw, new RystraError('stream.refused', { detail: 'closed now' }), clock)
    expect(raw.calls).to.deep.equal(['end'])
    const expected = Buffer.from(
      errorFrame(new RystraError('stream.refused', { detail: 'closed now' }), { detail: true })
    )
    expect(Buffer.concat(raw.written).equals(expected)).to.equal(true)
    raw.close()
    expect(clock.timers.size).to.equal(0)
  })

  it('is reset when the other side does not close', () => {
    const [raw, clock] = [new FakeRaw(), new FakeClock()]
    refuseStream(raw, new Error('a path of this machine'), clock)
    expect(String(Buffer.concat(raw.written))).not.to.include('path')
    clock.pass(5000)
    expect(raw.calls).to.deep.equal(['end', 'reset'])
  })

  it('does nothing when it is over', () => {
    const [raw, clock] = [new FakeRaw(), new FakeClock()]
    raw.close()
    refuseStream(raw, new RystraError('stream.refused'), clock)
    expect([raw.written.length, clock.timers.size]).to.deep.equal([0, 0])
  })
})
