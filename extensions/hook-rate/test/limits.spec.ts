import { expect } from 'chai'
import hookRate from '../src/index.js'
import { session, World } from './world.js'

const kB = 1000

describe('hook-rate, streams and requests', () => {
  it('refuses what is too much, says for how long, and admits again', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', streams: '2/s', burst: '1s' }] }))
    expect([1, 2, 3].map(() => world.open().denied)).deep.equal([
      undefined,
      undefined,
      { deny: 'too many connections from this address', retryAfter: 1 }
    ])
    world.clock.advance(500)
    expect(world.open().denied).equal(undefined)
    expect(world.open().denied?.retryAfter).equal(1)
  })

  it('counts each visitor on its own: an IPv4 address, mapped or not, or an IPv6 /64', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', streams: '1/h' }] }))
    const refused = (host: string): boolean => world.open({ host }).denied !== undefined
    expect(refused('10.0.0.1')).equal(false)
    expect(refused('::ffff:10.0.0.1')).equal(true)
    expect(refused('::ffff:a00:1')).equal(true)
    expect(refused('10.0.0.2')).equal(false)
    expect(refused('2001:db8:0:1::1')).equal(false)
    expect(refused('2001:db8:0:1:ffff::9')).equal(true)
    expect(refused('2001:db8:0:2::1')).equal(false)
  })

  it('counts a visitor of another client under that client, whatever address it gives', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', streams: '1/h' }] }))
    const through = session('other', '192.0.2.5')
    expect(world.open({ host: '10.0.0.1', through }).denied).equal(undefined)
    expect(world.open({ host: '10.0.0.2', through }).denied).not.equal(undefined)
    expect(world.open({ host: '10.0.0.1' }).denied, 'the address that it used').equal(undefined)
  })

  it('counts proxies, identities and everything', () => {
    const by = (per: 'proxy' | 'identity' | 'total') => {
      const world = new World(hookRate({ rules: [{ per, streams: '1/h' }] }))
      world.open({ name: 'a', identity: 'x' })
      return [
        { name: 'a', identity: 'x' },
        { name: 'b', identity: 'x' },
        { name: 'a', identity: 'y' }
      ].map((about) => world.open(about).denied === undefined)
    }
    expect(by('proxy')).deep.equal([false, true, true])
    expect(by('identity')).deep.equal([false, false, true])
    expect(by('total')).deep.equal([false, false, false])
  })

  it('concerns what its filters name, and nothing else, so that the rest keeps the fast path', () => {
    const rules = [
      { per: 'total' as const, bytesToVisitor: '1MB', proxies: ['a*'], kinds: ['tcp'], identities: ['t/*'] }
    ]
    const world = new World(hookRate({ rules }))
    expect(world.concerned({ name: 'ab', kind: 'tcp', identity: 't/1' })).equal(true)
    expect(world.concerned({ name: 'b', kind: 'tcp', identity: 't/1' })).equal(false)
    expect(world.concerned({ name: 'ab', kind: 'udp', identity: 't/1' })).equal(false)
    expect(world.concerned({ name: 'ab', kind: 'tcp', identity: 'u' })).equal(false)
    expect(new World(hookRate({ rules: [{ per: 'total', requests: '1/s' }] })).concerned()).equal(false)
    expect(new World(hookRate()).concerned()).equal(false)
  })

  it('refuses requests, with 429 in mind', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', requests: '1/m' }] }))
    expect(world.request()).equal(undefined)
    expect(world.request()).deep.equal({ deny: 'too many requests from this address', retryAfter: 60 })
    expect(world.request({ host: '10.9.9.9' })).equal(undefined)
  })

  it('costs other rules nothing when one refuses', () => {
    const world = new World(
      hookRate({
        rules: [
          { per: 'total', streams: '3/h', burst: '1h' },
          { per: 'visitor', streams: '1/h' }
        ]
      })
    )
    for (let i = 0; i < 50; i += 1) world.open({ host: '10.0.0.1' })
    expect(world.open({ host: '10.0.0.2' }).denied).equal(undefined)
    expect(world.open({ host: '10.0.0.3' }).denied).equal(undefined)
    expect(world.open({ host: '10.0.0.4' }).denied?.deny).equal('too many connections here')
  })

  it('allows nothing at a limit of 0, without a time to try again', () => {
    const world = new World(
      hookRate({ rules: [{ per: 'visitor', streams: '0/s', requests: '0/s', handshakes: '0/s' }] })
    )
    expect(world.open().denied).deep.equal({ deny: 'no connections are allowed from this address' })
    expect(world.request()).deep.equal({ deny: 'no requests are allowed from this address' })
    const bytes = new World(hookRate({ rules: [{ per: 'visitor', bytesToService: '0' }] })).open()
    expect(bytes.denied).equal(undefined)
    expect(bytes.pace(1, 'toVisitor')).equal(0)
    expect(() => bytes.pace(1, 'toService')).throws('no bytes are allowed to the service')
  })

  it('is not confused by a clock that jumps', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', streams: '1/s' }] }))
    world.open()
    world.clock.advance(-86_400_000)
    expect(world.open().denied?.retryAfter).equal(1)
    world.clock.advance(1000)
    expect(world.open().denied, 'after a second by the new time').equal(undefined)
    world.clock.advance(10 * 86_400_000)
    expect([1, 2].map(() => world.open().denied === undefined)).deep.equal([true, false])
  })
})

describe('hook-rate, bytes', () => {
  it('waits for the debt to be paid, each way on its own', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', bytesToVisitor: '100kB', burst: '1s' }] }))
    const { pace } = world.open()
    expect(pace(100 * kB, 'toVisitor')).equal(0)
    expect(pace(50 * kB, 'toVisitor')).equal(500)
    expect(pace(500 * kB, 'toService')).equal(0)
    world.clock.advance(500)
    expect(pace(10 * kB, 'toVisitor')).equal(100)
  })

  it('has all streams of one visitor share, and no other', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', bytesToService: '100kB' }] }))
    const [one, two] = [world.open(), world.open({ name: 'other' })]
    const other = world.open({ host: '10.0.0.1' })
    one.pace(100 * kB, 'toService')
    expect(two.pace(100 * kB, 'toService')).equal(1000)
    expect(other.pace(100 * kB, 'toService')).equal(0)
  })

  it('has each connection count on its own, of one address too', () => {
    const world = new World(hookRate({ rules: [{ per: 'connection', bytesToService: '100kB', requests: '1/s' }] }))
    const [one, two] = [world.open({ port: 1 }), world.open({ port: 2 })]
    expect(one.pace(300 * kB, 'toService')).equal(2000)
    expect(two.pace(100 * kB, 'toService')).equal(0)
    const requests = [1, 1, 2].map((port) => world.request({ port })?.deny)
    expect(requests).deep.equal([undefined, 'too many requests on this connection', undefined])
  })

  it('waits for the longest of all buckets that concern a stream', () => {
    const world = new World(
      hookRate({
        rules: [
          { per: 'total', bytesToService: '100kB' },
          { per: 'proxy', bytesToService: '1kB', burst: '0s', proxies: ['slow'] }
        ]
      })
    )
    const slow = world.open({ name: 'slow' })
    const quick = world.open({ name: 'quick' })
    expect(slow.pace(65_536 + 2 * kB, 'toService')).equal(2000)
    expect(quick.pace(100 * kB, 'toService')).equal(Math.ceil(65_536 / 100 + 20))
  })

  it('keeps what is owed when the connection is closed and opened again', () => {
    const world = new World(hookRate({ rules: [{ per: 'visitor', bytesToService: '100kB' }] }))
    world.open().pace(300 * kB, 'toService')
    expect(world.open().pace(0, 'toService')).equal(2000)
  })
})

describe('hook-rate, configured wrongly', () => {
  const refused = (rule: object): void => {
    expect(() => new World(hookRate({ rules: [rule as never] })), JSON.stringify(rule)).throws(/rules/)
  }

  it('says which rule', () => {
    refused({ per: 'connection', streams: '1/s' })
    refused({ per: 'connection', handshakes: '1/s' })
    refused({ per: 'visitor' })
    refused({ per: 'identity', handshakes: '1/s' })
    refused({ per: 'visitor', handshakes: '1/s', kinds: ['tcp'] })
    refused({ per: 'moon', streams: '1/s' })
    refused({ per: 'total', streams: 'many' })
    refused({ per: 'total', streams: '1/s', sterams: '2/s' })
  })
})
