import { RystraError } from '@rystra/model'
import { FakeClock } from '@rystra/testkit'
import { silentLog } from '@rystra/plugin'
import { expect } from 'chai'
import { EventEmitter, setMaxListeners } from 'node:events'
import { Reconnect } from '../src/reconnect.js'

/** The delays after these errors, one after the other. */
const delays = (codes: readonly ('auth.refused' | 'session.lost')[], max = 1000): number[] => {
  const reported: number[] = []
  const events = new EventEmitter().on('reconnecting', ({ delay }: { delay: number }) => reported.push(delay))
  const state = { config: { reconnect: { min: 1, max, attempts: 99 } }, clock: new FakeClock(), log: silentLog, events }
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const reconnect = new Reconnect(state as never, stop.signal)
  for (const code of codes) void reconnect.wait(new RystraError(code))
  stop.abort()
  return reported
}

describe('when a client dials again', () => {
  it('after refusals of its token in a row: less and less often, up to ten times the longest delay', () => {
    const found = delays(new Array(20).fill('auth.refused'))
    expect(Math.max(...found.slice(0, 2))).to.be.at.most(1000)
    for (const [i, delay] of found.slice(2).entries()) {
      const factor = Math.min(10, i + 1)
      expect(delay, `after ${i + 3}`).to.be.within(500 * factor, 1000 * factor)
    }
  })

  it('after anything else: within the longest delay, as before', () => {
    const found = delays(['auth.refused', 'auth.refused', 'auth.refused', 'session.lost', 'auth.refused'])
    expect(found[2]).to.be.at.least(500)
    for (const delay of found.slice(3)) expect(delay).to.be.at.most(16)
  })

  it('after a session that served, or lasted a second: at once, and then as after the first loss', () => {
    for (const [served, lasted, atOnce] of [
      [true, 1, true],
      [false, 1000, true],
      [false, 999, false]
    ] as const) {
      const clock = new FakeClock()
      const reported: { delay: number; attempt: number }[] = []
      const events = new EventEmitter().on('reconnecting', (one: { delay: number; attempt: number }) =>
        reported.push(one)
      )
      const state = { config: { reconnect: { min: 1000, max: 8000, attempts: 99 } }, clock, log: silentLog, events }
      const stop = new AbortController()
      setMaxListeners(0, stop.signal)
      const reconnect = new Reconnect(state as never, stop.signal)
      const lose = () => void reconnect.wait(new RystraError('session.lost'))
      for (let tries = 0; tries < 6; tries += 1) lose()
      reconnect.connected()
      clock.advance(lasted)
      reconnect.lost(served)
      lose()
      lose()
      stop.abort()
      const [first, second] = reported.slice(-2)
      expect(first?.attempt, 'counted anew').to.equal(atOnce ? 1 : 7)
      if (atOnce) expect(first?.delay).to.equal(0)
      if (atOnce) expect(second?.delay).to.be.at.most(2000)
    }
  })

  it('after an outage, of a server that served or was soon gone again: within a second of its return, or a twentieth of a long outage', () => {
    for (const served of [true, false])
      for (const outage of [0, 500, 4000, 20_000, 60_000, 600_000, 3_600_000]) {
        for (let client = 0; client < 50; client += 1) {
          const clock = new FakeClock()
          const begin = clock.now()
          const events = new EventEmitter().on('reconnecting', ({ delay }: { delay: number }) => clock.advance(delay))
          const reconnect = { min: 250, max: 30_000, attempts: Number.POSITIVE_INFINITY }
          const stop = new AbortController()
          setMaxListeners(0, stop.signal)
          const dials = new Reconnect({ config: { reconnect }, clock, log: silentLog, events } as never, stop.signal)
          dials.connected()
          dials.lost(served)
          do void dials.wait(new RystraError('session.lost'))
          while (clock.now() - begin < outage)
          stop.abort()
          expect(clock.now() - begin - outage, `late after ${outage}`).to.be.at.most(
            Math.min(30_000, Math.max(1000, outage / 20))
          )
        }
      }
  })

  it('of a server whose sessions end at once: less and less often', () => {
    const clock = new FakeClock()
    const begin = clock.now()
    const reported: number[] = []
    const events = new EventEmitter().on('reconnecting', ({ delay }: { delay: number }) => {
      reported.push(delay)
      clock.advance(delay)
    })
    const reconnect = { min: 250, max: 30_000, attempts: Number.POSITIVE_INFINITY }
    const stop = new AbortController()
    setMaxListeners(0, stop.signal)
    const dials = new Reconnect({ config: { reconnect }, clock, log: silentLog, events } as never, stop.signal)
    dials.connected()
    dials.lost(true)
    while (clock.now() - begin < 3_600_000) {
      void dials.wait(new RystraError('session.lost'))
      dials.connected()
      dials.lost(false)
    }
    stop.abort()
    expect(reported.filter((delay) => delay > 10_000)).to.have.length.above(100)
  })

  it('reports an outage at its first try, then once a minute, and at once when it fails in another way', () => {
    const clock = new FakeClock()
    const [reports, logged]: [string[], number[]] = [[], []]
    const log = { ...silentLog, warn: () => void logged.push(clock.now()) }
    const events = new EventEmitter().on(
      'reconnecting',
      ({ notable, attempt, error }: { notable: boolean; attempt: number; error: RystraError }) => {
        if (notable) reports.push(`${error.code} ${attempt}`)
      }
    )
    const reconnect = { min: 1, max: 1, attempts: Number.POSITIVE_INFINITY }
    const stop = new AbortController()
    setMaxListeners(0, stop.signal)
    const dials = new Reconnect({ config: { reconnect }, clock, log, events } as never, stop.signal)
    const fail = (code: 'connect.unreachable' | 'session.lost', times: number): void => {
      for (let count = 0; count < times; count += 1) {
        void dials.wait(new RystraError(code))
        clock.advance(1000)
      }
    }
    fail('connect.unreachable', 121)
    fail('session.lost', 2)
    dials.connected()
    clock.advance(1000)
    dials.lost(false)
    fail('session.lost', 2)
    stop.abort()
    expect(reports).to.deep.equal([
      'connect.unreachable 1',
      'connect.unreachable 61',
      'connect.unreachable 121',
      'session.lost 122',
      'session.lost 1'
    ])
    expect(logged).to.have.length(5)
  })
})
