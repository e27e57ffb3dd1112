import { expect } from 'chai'
import hookRate from '../src/index.js'
import { World } from './world.js'

const bad = '198.51.100.66'
const good = '203.0.113.1'

describe('hook-rate, failed authentications', () => {
  it('lets the first go by, slows the next down more and more, then shuts the address out for a while', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 2, delay: '1s', after: 5, shutOutFor: '10m', exempt: [] } })
    )
    const waits: number[] = []
    for (let guess = 0; guess < 5; guess += 1) {
      const before = world.clock.now()
      expect(await world.guess(bad), `guess ${guess}`).equal(undefined)
      waits.push(world.clock.now() - before)
    }
    expect(waits).deep.equal([0, 0, 0, 1000, 2000])
    const out = await world.guess(bad)
    expect(out?.deny).match(/too many failed/)
    expect(out?.retryAfter).equal(600)
    world.clock.advance(599_000)
    expect((await world.guess(bad))?.retryAfter).equal(1)
    world.clock.advance(1000)
    expect(await world.guess(bad)).equal(undefined)
    await world.stop()
  })

  it('does not touch others, however many fail from one address', async () => {
    const world = new World(
      hookRate({
        rules: [
          { per: 'total', handshakes: '20/s' },
          { per: 'visitor', handshakes: '10/s' }
        ]
      })
    )
    for (let guess = 0; guess < 2000; guess += 1) {
      const peer = world.peer(bad)
      const hello = world.hello(peer)
      await world.clock.pass(world.clock.next ?? 1)
      world.refused(peer, (await hello) === undefined ? 'auth.refused' : 'session.refused')
    }
    const before = world.clock.now()
    const peer = world.peer(good)
    expect(await world.hello(peer)).equal(undefined)
    expect(world.clock.now()).equal(before)
    await world.stop()
  })

  it('lets an address that has failed guess one at a time, so that many at once do not go by', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 1, delay: '1s', after: 50, shutOutFor: '1h', exempt: [] } })
    )
    await world.guess(bad)
    await world.guess(bad)
    const first = world.peer(bad)
    const waiting = world.hello(first)
    const others = await Promise.all(Array.from({ length: 20 }, () => world.hello(world.peer(bad))))
    expect(others.every((denied) => denied?.retryAfter === 1)).equal(true)
    expect(world.clock.pending).equal(1)
    await world.clock.pass(1000)
    expect(await waiting).equal(undefined)
    await world.stop()
  })

  it('bounds what one address has under way from the start', async () => {
    const world = new World(hookRate())
    const answers = await Promise.all(Array.from({ length: 200 }, () => world.hello(world.peer(bad))))
    expect(answers.filter((denied) => denied === undefined)).length(64)
    expect(await world.hello(world.peer(good))).equal(undefined)
    await world.stop()
  })

  it('forgets handshakes that are over: many clients may come and go behind one address', async () => {
    const world = new World(hookRate())
    for (let client = 0; client < 500; client += 1) {
      const peer = world.peer(good)
      expect(await world.hello(peer)).equal(undefined)
      if (client % 2 === 0) world.connected(peer)
      else world.refused(peer, 'protocol.timeout')
    }
    await world.stop()
  })

  it('is not undone by peers that break off', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 0, delay: '0s', after: 3, shutOutFor: '1h', exempt: [] } })
    )
    for (let guess = 0; guess < 3; guess += 1) await world.guess(bad)
    for (let scan = 0; scan < 50; scan += 1) world.refused(world.peer(bad), 'protocol.timeout')
    expect((await world.hello(world.peer(bad)))?.retryAfter).greaterThan(3590)
    await world.stop()
  })

  it('takes IPv6 by the /64, IPv4 mapped or not, and forgives slowly', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 9, delay: '0s', after: 2, shutOutFor: '10m', exempt: [] } })
    )
    await world.guess('2001:db8:0:1::1')
    await world.guess('2001:db8:0:1:abcd::1')
    expect(await world.hello(world.peer('2001:db8:0:1::2'))).not.equal(undefined)
    expect(await world.hello(world.peer('2001:db8:0:2::2'))).equal(undefined)
    await world.guess('10.0.0.1')
    await world.guess('::ffff:10.0.0.1')
    expect(await world.hello(world.peer('10.0.0.1'))).not.equal(undefined)
    await world.guess('10.0.0.3')
    world.clock.advance(300_000)
    await world.guess('10.0.0.3')
    expect(await world.hello(world.peer('10.0.0.3')), 'one of two was forgotten').equal(undefined)
    await world.stop()
  })

  it('leaves exempt networks alone', async () => {
    const authFailures = { free: 0, delay: '1s', after: 1, shutOutFor: '1h', exempt: ['10.0.0.0/8', '2001:db8::/32'] }
    const world = new World(hookRate({ authFailures }))
    for (const address of ['10.1.1.1', '::ffff:10.1.1.1', '2001:db8::1']) {
      await world.guess(address)
      expect(await world.guess(address), address).equal(undefined)
    }
    await world.stop()
  })

  it('never shuts out with `after` 0, and does not slow down with `delay` 0', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 0, delay: '0s', after: 0, shutOutFor: '1h', exempt: [] } })
    )
    const before = world.clock.now()
    for (let guess = 0; guess < 100; guess += 1) expect(await world.guess(bad)).equal(undefined)
    expect(world.clock.now()).equal(before)
    await world.stop()
  })

  it('stays shut when the clock is set back, no longer than it was to', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 0, delay: '0s', after: 1, shutOutFor: '10m', exempt: [] } })
    )
    await world.guess(bad)
    world.clock.advance(-86_400_000)
    expect((await world.hello(world.peer(bad)))?.retryAfter).equal(600)
    world.clock.advance(600_000)
    expect(await world.hello(world.peer(bad))).equal(undefined)
    await world.stop()
  })

  it('releases waiting handshakes when it is stopped, and leaves no timer', async () => {
    const world = new World(
      hookRate({ authFailures: { free: 0, delay: '1s', after: 9, shutOutFor: '10m', exempt: [] } })
    )
    await world.guess(bad)
    const waiting = world.hello(world.peer(bad))
    expect(world.clock.pending).equal(1)
    await world.stop()
    expect(await waiting).equal(undefined)
    expect(world.clock.pending).equal(0)
  })
})

describe('hook-rate, handshakes', () => {
  it('are limited per address and in total, and may be tried again', async () => {
    const world = new World(
      hookRate({
        rules: [
          { per: 'visitor', handshakes: '1/s' },
          { per: 'total', handshakes: '2/s' }
        ]
      })
    )
    const answer = async (address: string): Promise<string | undefined> =>
      (await world.hello(world.peer(address)))?.deny
    expect(await answer('10.0.0.1')).equal(undefined)
    expect(await answer('10.0.0.1')).equal('too many handshakes from this address')
    expect(await answer('10.0.0.2')).equal(undefined)
    expect(await answer('10.0.0.3')).equal('too many handshakes here')
    await world.stop()
  })
})
