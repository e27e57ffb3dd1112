import { expect } from 'chai'
import hookRate from '../src/index.js'
import { World } from './world.js'

const bad = '198.51.100.66'

describe('hook-rate, over a reload', () => {
  const visitors = { per: 'visitor', streams: '2/h', burst: '1h' } as const
  const requests = { per: 'total', requests: '1/h' } as const

  it('shares the buckets of a rule that stays, so that streams of both generations count together', () => {
    const before = new World(hookRate({ rules: [visitors] }))
    expect(before.open().denied).equal(undefined)
    const world = before.reload(hookRate({ rules: [requests, visitors] }))
    expect(world.open().denied).equal(undefined)
    expect(world.open().denied?.deny).equal('too many connections from this address')
    expect(before.open().denied?.deny).equal('too many connections from this address')
    expect(world.open({ host: '203.0.113.1' }).denied).equal(undefined)
  })

  it('keeps what is used up of a rule whose limit changes, and counts a new one from the beginning', () => {
    const before = new World(hookRate({ rules: [{ ...visitors, streams: '1/h' }, requests] }))
    expect(before.open().denied).equal(undefined)
    const world = before.reload(
      hookRate({
        rules: [
          { ...visitors, streams: '60/h' },
          { ...requests, kinds: ['tcp'] }
        ]
      })
    )
    expect(world.open().denied?.retryAfter).equal(60)
    expect(before.request(), 'the predecessor').equal(undefined)
    expect(world.request(), 'a rule for other proxies').equal(undefined)
    world.clock.advance(60_000)
    expect(world.open().denied).equal(undefined)
  })

  it('keeps addresses out that failed to authenticate', async () => {
    const before = new World(hookRate({ authFailures: { free: 1, delay: '1s', after: 2, shutOutFor: '10m' } }))
    for (let guess = 0; guess < 2; guess += 1) await before.guess(bad)
    const world = before.reload(hookRate({ authFailures: { free: 1, delay: '2s', after: 2, shutOutFor: '10m' } }))
    expect((await world.guess(bad))?.deny).match(/too many failed/)
    await before.stop()
    await world.stop()
  })
})
