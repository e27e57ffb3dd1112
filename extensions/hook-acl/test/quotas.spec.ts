import { RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { Usage } from '../src/usage.js'
import { session, World } from './world.js'

const tcp = (name = 'web') => ({ name, kind: 'tcp', port: 0 })
const world = (quotas: object): World =>
  new World({ tenants: { t: ['t/*'] }, rules: [{ identities: ['*'], quotas }] } as never)

const one = session('t/one')
const two = session('t/two')
const other = session('other')

describe('hook-acl, quotas of proxies', () => {
  it('are of the tenant, and others have their own', () => {
    const acl = world({ proxies: 2 })
    expect(acl.publish(one, tcp('a'))).equal(undefined)
    expect(acl.publish(two, tcp('a'))).equal(undefined)
    expect(acl.publish(one, tcp('b'))).equal('proxy quota reached (2)')
    expect(acl.publish(other, tcp('a'))).equal(undefined)
    acl.unpublish(two, tcp('a'))
    expect(acl.publish(one, tcp('b'))).equal(undefined)
  })

  it('give back what the server refused, and nothing else', () => {
    const acl = world({ proxies: 1 })
    acl.ask(one, tcp('a'))
    acl.refuse(one, tcp('a'))
    expect(acl.publish(one, tcp('b'))).equal(undefined)
    acl.ask(one, tcp('b'))
    acl.refuse(one, tcp('b'))
    expect(acl.publish(one, tcp('c')), 'a second of one name frees no place').match(/proxy quota reached \(1/)
  })

  it('let a client come back before its last session is over', () => {
    const acl = world({ proxies: 1 })
    const before = session('t/one')
    const after = session('t/one')
    acl.publish(before, tcp())
    expect(acl.publish(after, tcp())).equal(undefined)
    acl.unpublish(before, tcp())
    expect(acl.publish(after, tcp('more')), 'the old one frees no place of the new one').match(
      /proxy quota reached \(1/
    )
  })

  it('of 0 allow none', () => {
    expect(world({ proxies: 0 }).publish(one, tcp())).match(/proxy quota reached \(0/)
  })
})

describe('hook-acl, quotas of streams', () => {
  it('are of the tenant, and free when a stream is over', () => {
    const acl = world({ streams: 2 })
    const first = acl.stream(one, tcp())
    expect(acl.open(first).denied).equal(undefined)
    expect(acl.open(acl.stream(two, tcp())).denied).equal(undefined)
    expect(acl.open(acl.stream(two, tcp())).denied).deep.equal({ deny: 'too many connections', retryAfter: 1 })
    expect(acl.open(acl.stream(other, tcp())).denied).equal(undefined)
    acl.close(first)
    acl.close(first)
    expect(acl.open(acl.stream(two, tcp())).denied).equal(undefined)
    expect(acl.open(acl.stream(two, tcp())).denied).not.equal(undefined)
  })

  it('of 0 allow none', () => {
    expect(world({ streams: 0 }).open(world({ streams: 0 }).stream(one, tcp())).denied).not.equal(undefined)
  })
})

describe('hook-acl, quotas of bytes', () => {
  it('slow all streams of a tenant down together, each way', () => {
    const acl = world({ bandwidth: '1MB' })
    const [first, second] = [acl.open(acl.stream(one, tcp())), acl.open(acl.stream(two, tcp()))]
    expect(first.pace(250_000, 'toVisitor')).equal(0)
    expect(second.pace(100_000, 'toVisitor')).equal(100)
    expect(second.pace(250_000, 'toService')).equal(0)
    expect(acl.open(acl.stream(other, tcp())).pace(250_000, 'toVisitor')).equal(0)
  })

  it('reset what goes on when the day is used up, refuse what is new, and begin again at midnight UTC', () => {
    const acl = world({ bytesPerDay: '1MB' })
    acl.clock.advance(23 * 3_600_000)
    const running = acl.open(acl.stream(one, tcp()))
    expect(running.pace(600_000, 'toVisitor')).equal(0)
    expect(running.pace(400_000, 'toService')).equal(0)
    expect(() => running.pace(1, 'toService'))
      .throws(RystraError)
      .with.property('code', 'stream.limit')
    expect(acl.open(acl.stream(two, tcp())).denied).deep.equal({
      deny: 'daily byte quota reached',
      retryAfter: 3600
    })
    expect(acl.open(acl.stream(other, tcp())).denied).equal(undefined)
    acl.clock.advance(3_600_000)
    expect(acl.open(acl.stream(two, tcp())).denied).equal(undefined)
    expect(running.pace(1_000_000, 'toService')).equal(0)
  })

  it('are not given again by a clock that is set back', () => {
    const acl = world({ bytesPerDay: '1MB' })
    const running = acl.open(acl.stream(one, tcp()))
    running.pace(1_000_000, 'toService')
    acl.clock.advance(-3 * 86_400_000)
    expect(() => running.pace(1, 'toService')).throws(/byte quota/)
    acl.clock.advance(86_400_000)
    expect(running.pace(1, 'toService')).equal(0)
  })

  it('of 0 let no byte through', () => {
    const { denied } = world({ bytesPerDay: '0' }).open(world({}).stream(one, tcp()))
    expect(denied?.deny).match(/byte quota/)
    const acl = world({ bandwidth: '0' })
    expect(() => acl.open(acl.stream(one, tcp())).pace(1, 'toVisitor')).throws(/stream/)
  })
})

describe('hook-acl, its memory', () => {
  it('forgets tenants that have nothing and used nothing today', () => {
    const usage = new Usage()
    const quotas = { proxies: 9, streams: 9, bandwidth: 9, bytesPerDay: 9 }
    for (let index = 0; index < 50_000; index += 1) {
      usage.open(`identity ${index}`, String(index), quotas, 0)
      usage.close(String(index))
    }
    expect(usage.size).equal(10_000)
  })
})
