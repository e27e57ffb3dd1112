import { isRystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { complete } from '../src/expand.js'
import { wildcardsOver } from '../src/names.js'
import { World } from './world.js'

const codeOf = async (doing: () => unknown): Promise<string> => {
  try {
    await doing()
    return 'done'
  } catch (error) {
    return isRystraError(error) ? error.code : String(error)
  }
}

describe('names', () => {
  it('have wildcards over them, the nearest first', () => {
    expect(wildcardsOver('a.b.example.org')).to.deep.equal(['*.b.example.org', '*.example.org', '*.org'])
    expect(wildcardsOver('*.example.org')).to.deep.equal(['*.org'])
    expect(wildcardsOver('localhost')).to.deep.equal([])
  })

  it('follow from the name of a proxy that has none', () => {
    const spec = { name: 'Web', kind: 'https', local: 443 }
    expect(complete(spec)).to.deep.equal({ ...spec, subdomain: 'web' })
    expect(complete({ ...spec, host: 'A.org' })).to.deep.equal({ ...spec, host: ['a.org'] })
    expect(() => complete({ ...spec, name: 'my web' })).to.throw(/one of `host` and `subdomain` is needed/)
    expect(complete({ ...spec, name: 'my web', local: 'unix:/run/x:0', host: 'a.org' })).to.have.property('local')
    expect(() => complete({ ...spec, local: 'a:0' })).to.throw(/a port from 1 to 65535/)
  })
})

describe('a client that publishes under a host', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())

  it('keeps it from other tenants, and what a failed attempt took is given back', async () => {
    await world.start()
    const { take } = await world.publish({ host: 'a.org' }, { identity: 'one' })
    const both = () => world.publish({ host: ['b.org', 'a.org'] }, { identity: 'two' })
    expect(await codeOf(both)).to.equal('proxy.claimed')
    expect(await codeOf(() => world.publish({ host: '*.org' }, { identity: 'two' }))).to.equal('proxy.claimed')
    await world.publish({ host: 'b.org' }, { identity: 'three' })
    await take()
    await world.publish({ host: 'a.org' }, { identity: 'two' })
  })

  it('may not take a host of the base domain that belongs to others, nor an invalid host', async () => {
    await world.start({ baseDomain: 'tunnel.example.org' })
    for (const host of ['*.tunnel.example.org', '*.example.org', '*.org']) {
      expect(await codeOf(() => world.publish({ host })), host).to.equal('proxy.claimed')
    }
    expect(await codeOf(() => world.publish({ host: 'a..b' }))).to.equal('proxy.invalid')
    expect(await codeOf(() => world.publish({}))).to.equal('proxy.invalid')
    const { address } = await world.publish({ subdomain: 'App' })
    expect(address).to.equal(`https://app.tunnel.example.org:${world.port}`)
  })

  it('is an identity that the option hosts names, when it is set', async () => {
    const hosts = [
      { identity: 'team-*', hosts: ['*.team.org'] },
      { identity: 'boss', hosts: ['*'] }
    ]
    await world.start({ hosts, publicPort: 443 })
    expect((await world.publish({ host: 'a.team.org' }, { identity: 'team-1' })).address).to.equal('https://a.team.org')
    expect(await codeOf(() => world.publish({ host: 'team.org' }, { identity: 'team-1' }))).to.equal('proxy.claimed')
    expect(await codeOf(() => world.publish({ host: 'b.team.org' }, { identity: 'other' }))).to.equal('proxy.claimed')
    await world.publish({ host: '*.localhost' }, { identity: 'boss' })
  })

  it('leaves to the server what a certificate of it is for, unless a wildcard is allowed expressly', async () => {
    const certificates = [{ hosts: ['a.org', '*.b.org'] }]
    await world.start({
      certificates,
      hosts: [
        { identity: 'boss', hosts: ['*'] },
        { identity: 'team', hosts: ['c.org'] }
      ]
    })
    expect(await codeOf(() => world.publish({ host: 'a.org' }, { identity: 'boss' }))).to.equal('proxy.claimed')
    await world.publish({ host: 'x.b.org' }, { identity: 'boss' })
    await world.publish({ host: '*.b.org' }, { identity: 'boss' })
    await world.publish({ host: 'c.org' }, { identity: 'team' })
    const open = new World()
    try {
      await open.start({ certificates })
      for (const host of ['a.org', 'x.b.org', '*.b.org']) {
        expect(await codeOf(() => open.publish({ host })), host).to.equal('proxy.claimed')
      }
      await open.publish({ host: 'x.y.b.org' })
      await open.publish({ host: 'b.org' })
    } finally {
      await open.close()
    }
  })
})
