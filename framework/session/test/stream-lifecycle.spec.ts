import type { HookCalls } from '@rystra/kernel'
import { pump } from '@rystra/bytes'
import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import type { CloseStreamContext, OpenStreamContext, Relay } from '@rystra/plugin'
import { streamReadyFrame } from '@rystra/protocol'
import { PassThrough, Transform } from 'node:stream'
import { OutgoingStream, refusedBy, StreamLifecycle, StreamTable } from '../src/index.js'
import { FakeClock, FakeRaw, failure, generation, registryOf, streamInfo, turns } from './fakes.js'

const begin = (calls: Partial<HookCalls> = {}, relays: Record<string, Relay> = {}) => {
  const held = generation(calls, { relays: registryOf(relays) })
  const clock = new FakeClock()
  const reports: CloseStreamContext[] = []
  const table = new StreamTable()
  const refusals: RystraError[] = []
  const run = new StreamLifecycle(streamInfo, 'toService', {
    generation: held,
    clock,
    tables: [table],
    refused: (error) => void refusals.push(error),
    closed: (context) => void reports.push(context)
  })
  /** Opens it on a raw stream made by hand, whose service is reached. */
  const open = async (): Promise<FakeRaw> => {
    const raw = new FakeRaw()
    const parts = { side: 'client' as const, head: Buffer.alloc(0), flow: undefined, clock, timeout: undefined }
    await run.open(async () => new OutgoingStream(raw, parts))
    const frame = Buffer.from(streamReadyFrame)
    raw.reader?.onBytes(frame, 0, frame.length, true)
    await turns(1)
    return raw
  }
  return { run, held, clock, reports, table, refusals, open }
}

/** Once each, in the hook and to the owner, and the generation is released. */
const reportedOnce = ({ held, reports }: ReturnType<typeof begin>): CloseStreamContext => {
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
    begun.run.report('end', 3, 4)
    begun.run.report('reset', 5, 6)
    begun.run.report('refused', 0, 0, new RystraError('stream.refused'))
    expect(reportedOnce(begun)).to.deep.equal({
      ...streamInfo,
      bytesToService: 3,
      bytesToVisitor: 4,
      duration: 1234,
      reason: 'end'
    })
  })

  it('lets its generation go, also when a listener throws', () => {
    const held = generation()
    const run = new StreamLifecycle(streamInfo, 'toService', {
      generation: held,
      clock: new FakeClock(),
      tables: [],
      closed: () => {
        throw new Error('a listener with a bug')
      }
    })
    expect(() => run.report('end', 0, 0)).to.throw('a listener with a bug')
    expect(held.held).to.equal(0)
  })

  it('reports a refusal', async () => {
    const begun = begin({ openStream: () => Promise.resolve({ deny: 'closed now' }) })
    const denied = await begun.run.admit()
    expect(denied).to.deep.equal({ deny: 'closed now' })
    const error = refusedBy(denied as { deny: string }, 'server')
    expect([error.code, error.detail, error.side]).to.deep.equal(['stream.refused', 'closed now', 'server'])
    begun.run.report('refused', 0, 0, error)
    expect(reportedOnce(begun)).to.include({ reason: 'refused', error })
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
    begun.run.report('refused', 0, 0, new RystraError('stream.refused'))
    expect(through.destroyed).to.equal(true)
    reportedOnce(begun)
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
    begun.run.report('reset', 0, 0)
    put?.({ toVisitor: late })
    expect([through.destroyed, late.destroyed]).to.deep.equal([true, true])
    reportedOnce(begun)
  })

  for (const [error, reason, code] of [
    [undefined, 'end', undefined],
    [new Error('read ECONNRESET'), 'reset', 'stream.reset'],
    [new RystraError('session.lost'), 'reset', 'session.lost'],
    [new RystraError('hook.failed'), 'error', 'hook.failed'],
    [new RystraError('stream.service-unreachable'), 'refused', 'stream.service-unreachable']
  ] as const) {
    it(`reports "${reason}" when it ends with ${error?.message ?? 'no error'}`, async () => {
      const begun = begin()
      const [visitor, service] = [new FakeRaw(), await begun.open()]
      let done = 0
      begun.run.join(visitor, () => void done++)
      visitor.reader?.onBytes(Buffer.from('abc'), 0, 3, false)
      service.reader?.onBytes(Buffer.from('de'), 0, 2, false)
      visitor.close(error)
      service.close()
      const context = reportedOnce(begun)
      expect([context.reason, context.error?.code]).to.deep.equal([reason, code])
      expect([context.bytesToService, context.bytesToVisitor]).to.deep.equal([3, 2])
      expect(done).to.equal(1)
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
    const [visitor, service] = [new FakeRaw(), await begun.open()]
    begun.run.join(visitor)
    visitor.reader?.onBytes(Buffer.from('abc'), 0, 3, false)
    service.reader?.onBytes(Buffer.from('de'), 0, 2, false)
    await turns(5)
    expect(String(Buffer.concat(service.written))).to.equal('ABC')
    expect(String(Buffer.concat(visitor.written))).to.equal('tapped')
    visitor.reset()
    expect(reportedOnce(begun).reason).to.equal('reset')
  })

  it('is listed while it runs, with what it has carried, and counted when it is over', async () => {
    const begun = begin()
    const { table, run, clock } = begun
    expect([...table.open.values()]).to.deep.equal([run])
    clock.pass(5)
    const service = await begun.open()
    const bytes = Buffer.from('abc')
    run.stream.read({ onBytes: () => true, onEnd: () => {} })
    run.stream.write(bytes, 0, 3, false)
    service.reader?.onBytes(bytes, 0, 2, true)
    const now = { bytesToService: 3, bytesToVisitor: 2, openedAt: clock.now() - 5, connectTime: 5, paused: false }
    expect(run.stats()).to.deep.equal(now)
    const carried = { opened: 1, carriers: 0, bytesToService: 3, bytesToVisitor: 2 }
    const connectTimes = { count: 1, sum: 5, last: 5 }
    expect(table.stats()).to.deep.equal({ ...carried, streams: 1, connectTimes, refused: {} })
    run.close(new RystraError('stream.idle'))
    expect(reportedOnce(begun)).to.include({ reason: 'refused', bytesToService: 3, bytesToVisitor: 2 })
    expect(table.stats()).to.deep.equal({ ...carried, streams: 0, connectTimes, refused: { 'stream.idle': 1 } })
  })

  it('that is closed while it is being opened ends at once, and what arrives too late is reset', async () => {
    const { run, clock, reports } = begin()
    const raw = new FakeRaw()
    const parts = { side: 'client' as const, head: Buffer.alloc(0), flow: undefined, clock, timeout: undefined }
    let arrive = (): void => {}
    const arrived = new Promise<OutgoingStream>((resolve) => {
      arrive = () => resolve(new OutgoingStream(raw, parts))
    })
    const opening = run.open(() => arrived)
    await turns(1)
    run.close(new RystraError('stream.limit'))
    expect((await failure(opening)).code).to.equal('stream.limit')
    expect([reports.length, raw.closed]).to.deep.equal([1, false])
    arrive()
    await turns(2)
    expect(raw.closed).to.equal(true)
  })

  it('may be closed in each of its states', async () => {
    const begun = begin({ openStream: () => turns(2).then(() => undefined) })
    const opening = begun.open()
    begun.run.close(new RystraError('stream.limit'))
    expect((await failure(opening)).code).to.equal('stream.limit')
    expect(reportedOnce(begun).reason).to.equal('refused')
    const joined = begin()
    const [visitor, service] = [new FakeRaw(), await joined.open()]
    joined.run.join(visitor)
    joined.run.close()
    expect([visitor.closed, service.closed, reportedOnce(joined).error?.code]).to.deep.equal([
      true,
      true,
      'stream.reset'
    ])
    joined.run.close()
  })

  it('is given up at once while hooks are asked or the link makes room, and resets what is opened for it later', async () => {
    for (const phase of ['hooks', 'link'] as const) {
      let go = (): void => {}
      const held = new Promise<undefined>((resolve) => {
        go = () => resolve(undefined)
      })
      const begun = begin(phase === 'hooks' ? { openStream: () => held } : {})
      const [visitor, inner] = [new FakeRaw(), new FakeRaw()]
      let opened = 0
      const opening = begun.run.open(async () => {
        opened += 1
        await held
        const parts = {
          side: 'client' as const,
          head: Buffer.alloc(0),
          flow: undefined,
          clock: begun.clock,
          timeout: 1
        }
        return new OutgoingStream(inner, parts)
      })
      begun.run.follow(visitor)
      await turns(1)
      visitor.reset()
      expect((await failure(opening)).code).to.equal('stream.reset')
      expect(reportedOnce(begun).reason).to.equal('reset')
      expect(begun.refusals, 'a visitor that left was refused nothing').to.deep.equal([])
      go()
      await turns(2)
      expect([opened, inner.closed]).to.deep.equal(phase === 'hooks' ? [0, false] : [1, true])
      reportedOnce(begun)
    }
  })

  it('is given up when the other side was closed before', async () => {
    const begun = begin({ openStream: () => new Promise(() => {}) })
    const visitor = new FakeRaw()
    visitor.reset()
    const opening = begun.run.open(() => Promise.reject(new Error('never')))
    begun.run.follow(visitor)
    expect((await failure(opening)).code).to.equal('stream.reset')
    reportedOnce(begun)
  })

  describe('and a registered relay', () => {
    const relay = (join: Relay['join'], accepts = true): Relay => ({ name: 'fast', accepts: () => accepts, join })
    const joinedBy = async (relays: Record<string, Relay>, calls: Partial<HookCalls> = {}) => {
      const begun = begin(calls, relays)
      const [visitor, service] = [new FakeRaw(), await begun.open()]
      begun.run.join(visitor)
      await turns(1)
      return { ...begun, visitor, service }
    }
    const own: Relay['join'] = (a, b, done) => ({
      aToB: 7,
      bToA: 8,
      paused: true,
      reset: (error) => {
        a.reset()
        b.reset()
        done(7, 8, error)
      }
    })

    it('joins what it accepts, counts, and is paused and reset as the built-in one', async () => {
      for (const relays of [
        { slow: relay(() => undefined, false), fast: relay(own) },
        { slow: relay(own, false), fast: relay(own) }
      ]) {
        const begun = await joinedBy(relays)
        expect(begun.run.stats()).to.include({ bytesToService: 7, bytesToVisitor: 8, paused: true })
        begun.run.close(new RystraError('stream.idle'))
        expect(begun.visitor.calls).to.deep.equal(['reset'])
        expect(reportedOnce(begun)).to.include({ bytesToService: 7, bytesToVisitor: 8, reason: 'refused' })
      }
    })

    it('leaves to the built-in one what it does not accept, or cannot join after all', async () => {
      for (const relays of [{ fast: relay(own, false) }, { fast: relay(() => undefined) }]) {
        const begun = await joinedBy(relays)
        begun.visitor.reader?.onBytes(Buffer.from('abc'), 0, 3, false)
        expect(String(begun.service.written.at(-1))).to.equal('abc')
        begun.visitor.reset()
        expect(reportedOnce(begun)).to.include({ bytesToService: 3, reason: 'reset' })
      }
    })

    it('has its bytes pass the filters', async () => {
      const join: Relay['join'] = (a, b, done) => pump(a, b, done)
      const tapped: Partial<HookCalls> = { dataTap: () => (chunk) => Buffer.from(`<${chunk}>`) }
      const begun = await joinedBy({ fast: relay(join) }, tapped)
      begun.visitor.reader?.onBytes(Buffer.from('abc'), 0, 3, false)
      expect(String(begun.service.written.at(-1))).to.equal('<abc>')
      begun.visitor.reset()
      expect(reportedOnce(begun)).to.include({ bytesToService: 3 })
    })

    it('is no way for a fault of it to leave streams open', async () => {
      const thrower = (): never => {
        throw new TypeError('a bug')
      }
      for (const faulty of [relay(thrower), { ...relay(() => undefined), accepts: thrower }]) {
        const begun = await joinedBy({ faulty })
        expect([begun.visitor.closed, begun.service.closed]).to.deep.equal([true, true])
        expect(reportedOnce(begun)).to.include({ reason: 'error' })
        expect(begun.reports[0]?.error?.code).to.equal('internal')
      }
    })
  })
})
