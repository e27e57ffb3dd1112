import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import type { CloseStreamContext, HookCalls, OpenStreamContext, Relay } from '@rystra/plugin'
import { PassThrough, Transform } from 'node:stream'
import { refusedBy, StreamRun } from '../src/index.js'
import { FakeClock, FakeRaw, generation, pair, registryOf, streamInfo, turns } from './fakes.js'

const begin = (calls: Partial<HookCalls> = {}, relays: Record<string, Relay> = {}) => {
  const held = generation(calls, { relays: registryOf(relays) })
  const clock = new FakeClock()
  const reports: CloseStreamContext[] = []
  const run = new StreamRun(streamInfo, held, clock, (context) => reports.push(context))
  return { run, held, clock, reports }
}

/** Once each, in the hook and to the owner, and the generation is let go. */
const toldOnce = ({ held, reports }: ReturnType<typeof begin>): CloseStreamContext => {
  expect(held.closed.length, 'calls of onCloseStream').to.equal(1)
  expect(reports).to.deep.equal(held.closed)
  expect(held.held, 'holds on the generation').to.equal(0)
  return reports[0] as CloseStreamContext
}

describe('a stream at one end', () => {
  it('holds its generation from the beginning to the end, and reports once', () => {
    const begun = begin()
    expect(begun.held.held).to.equal(1)
    begun.clock.pass(1234)
    begun.run.close('end', 3, 4)
    begun.run.close('reset', 5, 6)
    begun.run.refuse(new RystraError('stream.refused'))
    expect(toldOnce(begun)).to.deep.equal({
      ...streamInfo,
      bytesToService: 3,
      bytesToVisitor: 4,
      duration: 1234,
      reason: 'end'
    })
  })

  it('lets its generation go, also when whoever is told throws', () => {
    const held = generation()
    const run = new StreamRun(streamInfo, held, new FakeClock(), () => {
      throw new Error('a listener with a bug')
    })
    expect(() => run.close('end', 0, 0)).to.throw('a listener with a bug')
    expect(held.held).to.equal(0)
  })

  it('reports a refusal', async () => {
    const begun = begin({ openStream: () => Promise.resolve({ deny: 'closed now' }) })
    const denied = await begun.run.admit()
    expect(denied).to.deep.equal({ deny: 'closed now' })
    const error = refusedBy(denied as { deny: string }, 'server')
    expect([error.code, error.detail, error.side]).to.deep.equal(['stream.refused', 'closed now', 'server'])
    begun.run.refuse(error)
    expect(toldOnce(begun)).to.include({ reason: 'refused', error })
  })

  it('needs no promise when no tap concerns it', () => {
    expect(begin().run.admit()).to.equal(undefined)
  })

  it('destroys transforms of a stream that was refused', async () => {
    const through = new PassThrough()
    const begun = begin({
      openStream: (context) => {
        context.through({ toService: through, toVisitor: new PassThrough() })
        return undefined
      }
    })
    void begun.run.admit()
    begun.run.refuse(new RystraError('stream.refused'))
    expect(through.destroyed).to.equal(true)
    toldOnce(begun)
  })

  it('destroys transforms that were never used, and those of a tap that comes too late', () => {
    const [through, late] = [new PassThrough(), new PassThrough()]
    let put: OpenStreamContext['through'] | undefined
    const begun = begin({
      openStream: (context) => {
        put = context.through
        put({ toService: through })
        return undefined
      }
    })
    void begun.run.admit()
    begun.run.close('reset', 0, 0)
    put?.({ toVisitor: late })
    expect([through.destroyed, late.destroyed]).to.deep.equal([true, true])
    toldOnce(begun)
  })

  for (const [error, reason, code] of [
    [undefined, 'end', undefined],
    [new Error('read ECONNRESET'), 'reset', 'stream.reset'],
    [new RystraError('session.lost'), 'reset', 'session.lost'],
    [new RystraError('hook.failed'), 'error', 'hook.failed'],
    [new RystraError('stream.service-unreachable'), 'refused', 'stream.service-unreachable']
  ] as const) {
    it(`reports "${reason}" when it ends with ${error?.message ?? 'no error'}`, () => {
      const begun = begin()
      const [visitor, service] = [new FakeRaw(), new FakeRaw()]
      const done: (RystraError | undefined)[] = []
      begun.run.relay(visitor, service, (failed) => done.push(failed))
      visitor.reader?.onBytes(Buffer.from('abc'), 0, 3, false)
      service.reader?.onBytes(Buffer.from('de'), 0, 2, false)
      visitor.close(error)
      service.close()
      const context = toldOnce(begun)
      expect([context.reason, context.error?.code]).to.deep.equal([reason, code])
      expect([context.bytesToService, context.bytesToVisitor]).to.deep.equal([3, 2])
      expect(done.map((failed) => failed?.code)).to.deep.equal([code])
    })
  }

  it('passes bytes through the taps and transforms of its generation, each in its direction', async () => {
    const upper = new Transform({
      transform: (chunk, _encoding, done) => done(null, String(chunk).toUpperCase())
    })
    const begun = begin({
      openStream: (context) => {
        context.through({ toService: upper })
        return undefined
      },
      dataTap: (_stream, direction) => (direction === 'toVisitor' ? () => Buffer.from('tapped') : undefined)
    })
    void begun.run.admit()
    const [visitor, service] = [new FakeRaw(), new FakeRaw()]
    begun.run.relay(visitor, service, () => {})
    visitor.reader?.onBytes(Buffer.from('abc'), 0, 3, false)
    service.reader?.onBytes(Buffer.from('de'), 0, 2, false)
    await turns(5)
    expect(String(Buffer.concat(service.written))).to.equal('ABC')
    expect(String(Buffer.concat(visitor.written))).to.equal('tapped')
    visitor.reset()
    expect(toldOnce(begun).reason).to.equal('reset')
  })

  describe('and a registered relay', () => {
    const relay = (join: Relay['join'], accepts = true): Relay => ({ name: 'fast', accepts: () => accepts, join })
    const fine = () => Promise.resolve({ bytesToService: 1, bytesToVisitor: 2 })

    it('is asked unless a tap or a transform is in the path', () => {
      const [a, b] = pair()
      const fast = relay(fine)
      expect(begin({}, { fast }).run.relayFor(a, b)).to.equal(fast)
      expect(begin({}, { slow: relay(fine, false), fast }).run.relayFor(a, b)).to.equal(fast)
      expect(begin({}, { slow: relay(fine, false) }).run.relayFor(a, b)).to.equal(undefined)
      expect(begin({ dataTap: () => (chunk) => chunk }, { fast }).run.relayFor(a, b)).to.equal(undefined)
      const through = begin(
        {
          openStream: (context) => {
            context.through({ toVisitor: new PassThrough() })
            return undefined
          }
        },
        { fast }
      )
      void through.run.admit()
      expect(through.run.relayFor(a, b)).to.equal(undefined)
    })

    it('reports what it says', async () => {
      const [a, b] = pair()
      const good = begin()
      expect(await good.run.relayBy(relay(fine), a, b, new AbortController().signal)).to.equal(undefined)
      expect(toldOnce(good)).to.include({ reason: 'end', bytesToService: 1, bytesToVisitor: 2 })
      const bad = begin()
      const failing = relay(async () => ({ ...(await fine()), error: new Error('read ECONNRESET') }))
      const error = await bad.run.relayBy(failing, a, b, new AbortController().signal)
      expect(error?.code).to.equal('stream.reset')
      expect(toldOnce(bad).reason).to.equal('reset')
    })

    it('is no way for a fault of it to leave streams open', async () => {
      const [a, b] = pair()
      const begun = begin()
      const thrower = relay(() => {
        throw new TypeError('a bug')
      })
      const error = await begun.run.relayBy(thrower, a, b, new AbortController().signal)
      expect(error?.code).to.equal('internal')
      expect([a.destroyed, b.destroyed]).to.deep.equal([true, true])
      expect(toldOnce(begun).reason).to.equal('error')
    })
  })
})
