import { expect } from 'chai'
import { once } from 'node:events'
import { ask, frontPort, startHttpClient, startHttpServer, startHttpService } from './http-world.js'
import { cleanUp, otherToken, until } from './tunnel.js'

describe('http: routes', () => {
  afterEach(cleanUp)

  it('finds the proxy by exact host, wildcard, subdomain, and the longest path', async () => {
    const server = await startHttpServer({ baseDomain: 'tunnel.test' })
    const named = async (name: string, spec: object) => {
      const { port } = await startHttpService((_, response) => response.end(name))
      return { name, kind: 'http', local: port, ...spec }
    }
    const client = await startHttpClient(server, [
      await named('exact', { host: 'App.Example.org' }),
      await named('wild', { host: '*.example.org' }),
      await named('sub', { subdomain: 'api' }),
      await named('named', {}),
      await named('several', { host: ['a.test', 'bücher.test'] }),
      await named('deep', { host: 'app.example.org', path: '/a/b' }),
      await named('deeper', { host: 'app.example.org', path: '/a/b/c/' })
    ])
    const port = frontPort(client)
    for (const [host, path, expected] of [
      ['app.example.org', '/', 'exact'],
      ['APP.example.ORG.', '/x?y', 'exact'],
      ['app.example.org:8080', '/', 'exact'],
      ['other.example.org', '/', 'wild'],
      ['a.b.example.org', '/', 'wild'],
      ['api.tunnel.test', '/', 'sub'],
      ['named.tunnel.test', '/', 'named'],
      ['a.test', '/', 'several'],
      ['xn--bcher-kva.test', '/', 'several'],
      ['app.example.org', '/a/b', 'deep'],
      ['app.example.org', '/a/b?c', 'deep'],
      ['app.example.org', '/a/bc', 'exact'],
      ['app.example.org', '/a/b/cd', 'deep'],
      ['app.example.org', '/a/b/c', 'deeper'],
      ['app.example.org', '/a/b/c/d/e', 'deeper'],
      ['app.example.org', '/a', 'exact']
    ] as const) {
      expect((await ask(port, host, path)).body, `${host}${path}`).to.equal(expected)
    }
    for (const host of ['example.org', 'tunnel.test', 'absent.tunnel.test', 'example.org.evil.test', '127.0.0.1']) {
      expect((await ask(port, host)).status, host).to.equal(404)
    }
    expect(client.proxies.find(({ name }) => name === 'deep')?.address).to.equal(`http://app.example.org:${port}/a/b`)
  })

  it('gives a host to one identity alone, with its paths and what is below a wildcard', async () => {
    const server = await startHttpServer()
    const proxy = (spec: object) => ({ name: 'web', kind: 'http', local: 1, ...spec })
    await startHttpClient(server, [
      { ...proxy({ host: 'app.test' }), name: 'one' },
      { ...proxy({ host: '*.wild.test' }), name: 'two' },
      { ...proxy({ host: 'deep.below.test' }), name: 'three' }
    ])
    const office = await startHttpClient(server, [], { id: 'office', token: otherToken })
    for (const spec of [
      { host: 'app.test' },
      { host: 'app.test', path: '/longer' },
      { host: 'a.wild.test' },
      { host: '*.a.wild.test' },
      { host: '*.below.test' },
      { host: ['free.test', 'app.test'] }
    ]) {
      // Asked for again by itself, since it may come free: so it is an event, not a failure.
      const refusal = once(office, 'refused')
      await office.publish(proxy(spec))
      const [{ error }] = (await refusal) as [{ error: { code: string } }]
      office.unpublish('web')
      expect(error.code, JSON.stringify(spec)).to.equal('proxy.claimed')
    }
  })

  it('refuses a wildcard over all subdomains, unless the server allows it to the identity', async () => {
    const refusal = async (options: object, host: string): Promise<string> => {
      const server = await startHttpServer({ baseDomain: 'base.test', ...options })
      const client = await startHttpClient(server, [])
      const refused = once(client, 'refused').then(([{ error }]) => error.code as string)
      const published = once(client, 'published').then(() => 'published')
      await client.publish({ name: 'web', kind: 'http', local: 1, host })
      return Promise.race([refused, published])
    }
    expect(await refusal({}, '*.base.test')).to.equal('proxy.claimed')
    expect(await refusal({}, '*.test')).to.equal('proxy.claimed')
    expect(await refusal({}, '*.a.base.test')).to.equal('published')
    expect(await refusal({ hosts: [{ identity: 'home', hosts: ['*'] }] }, '*.base.test')).to.equal('published')
    expect(await refusal({ hosts: [{ identity: 'else', hosts: ['*'] }] }, 'a.test')).to.equal('proxy.claimed')
  })

  it('is reached no more once it is taken back, and by the next who asks', async () => {
    const server = await startHttpServer()
    const { port: local } = await startHttpService((_, response) => response.end('first'))
    const { port: other } = await startHttpService((_, response) => response.end('second'))
    const client = await startHttpClient(server, [{ name: 'web', kind: 'http', local }])
    const port = frontPort(client)
    expect((await ask(port, 'web.localhost')).body).to.equal('first')
    client.unpublish('web')
    await until(() => server.proxies.length === 0)
    expect((await ask(port, 'web.localhost')).status).to.equal(404)
    const next = await startHttpClient(server, [{ name: 'web', kind: 'http', local: other }], {
      id: 'next',
      token: otherToken
    })
    expect(frontPort(next)).to.equal(port)
    expect((await ask(port, 'web.localhost')).body).to.equal('second')
  })

  it('shares a host among the members of a group', async () => {
    const server = await startHttpServer()
    const clients = await Promise.all(
      ['one', 'two'].map(async (id) => {
        const { port: local } = await startHttpService((_, response) => response.end(id))
        return startHttpClient(server, [{ name: 'web', kind: 'http', local, group: 'webs' }], { id })
      })
    )
    const [client] = clients
    if (client === undefined) throw new Error('no client')
    const port = frontPort(client)
    const bodies = new Set<string>()
    for (let index = 0; index < 4; index += 1) bodies.add((await ask(port, 'web.localhost')).body)
    expect([...bodies].sort()).to.deep.equal(['one', 'two'])
    await clients[0]?.stop({ drain: 0 })
    await until(() => server.proxies.length === 1)
    expect((await ask(port, 'web.localhost')).body).to.equal('two')
  })
})
