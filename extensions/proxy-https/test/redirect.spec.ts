import type { HeaderField, RequestContext, Respond } from '@rystra/plugin'
import { freePort, setUpExtension } from '@rystra/testkit'
import { expect } from 'chai'
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import proxyHttps from '../src/index.js'
import { outcome, World } from './world.js'

let world: World

const certificates = [{ hosts: ['app.example.org', '*.wild.example.org'] }]

const request = (change: Partial<RequestContext>): RequestContext =>
  ({ host: 'app.example.org', target: '/a?b', secure: false, headers: [], ...change }) as RequestContext

const tapOf = (hook: string) => {
  const taps = world.setUp.taps.filter((tap) => tap.hook === hook)
  return taps[0]?.fn as ((context: unknown) => unknown) | undefined
}

/** What each of the groups below begins and ends with. */
const fixture = (): void => {
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())
}

describe('requests that came without TLS', () => {
  fixture()

  it('are sent to https where it serves their host', async () => {
    await world.start({ certificates, redirect: true })
    const answer = tapOf('onRequest') as (context: RequestContext) => Respond | undefined
    const location = (change: Partial<RequestContext>) => answer(request(change))?.respond.headers?.[0]?.[1]
    expect(answer(request({}))?.respond.status).to.equal(308)
    expect(location({})).to.equal(`https://app.example.org:${world.port}/a?b`)
    expect(location({ target: '*' })).to.equal(`https://app.example.org:${world.port}/`)
    expect(location({ host: 'x.wild.example.org' })).to.equal(`https://x.wild.example.org:${world.port}/a?b`)
    expect(location({ secure: true })).to.equal(undefined)
    expect(location({ host: 'other.example.org' })).to.equal(undefined)
    await world.publish({ host: 'other.example.org' })
    expect(location({ host: 'other.example.org' })).to.equal(`https://other.example.org:${world.port}/a?b`)
  })

  it('are left alone unless that is wanted', async () => {
    await world.start({ certificates })
    expect(world.setUp.taps).to.deep.equal([])
  })

  it('are sent to the port that visitors use', async () => {
    await world.start({ certificates, redirect: true, publicPort: 443 })
    const answer = tapOf('onRequest') as (context: RequestContext) => Respond | undefined
    expect(answer(request({}))?.respond.headers).to.deep.equal([['Location', 'https://app.example.org/a?b']])
  })
})

describe('ports that send all to https', () => {
  fixture()

  const ask = async (port: number, host: string, path = '/', method = 'GET') => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers: { Host: host }, agent: false })
    request.end()
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'end')
    return { status: response.statusCode, location: response.headers.location, connection: response.headers.connection }
  }

  it('know the hosts that there are, and no others', async () => {
    const port = await freePort()
    await world.start({ certificates, redirectFrom: [{ host: '127.0.0.1', port }] })
    await world.publish({ host: 'passed.example.org' })
    for (const host of ['app.example.org', 'APP.example.org.:80', 'passed.example.org']) {
      const { status, location, connection } = await ask(port, host, '/a?b', 'POST')
      expect(status, host).to.equal(308)
      expect(location).to.match(new RegExp(`^https://(app|passed)\\.example\\.org:${world.port}/a\\?b$`))
      expect(connection).to.equal('close')
    }
    for (const host of ['other.example.org', '127.0.0.1', '*.wild.example.org', 'a@b']) {
      expect((await ask(port, host)).status, host).to.equal(404)
    }
    expect((await ask(port, 'app.example.org', 'http://evil.example.org/')).status).to.equal(400)
  })

  it('stand garbage and silent connections until the server stops', async () => {
    const port = await freePort()
    await world.start({ certificates, redirectFrom: [{ host: '127.0.0.1', port }] })
    const socket = await world.connect(port)
    const over = outcome(socket)
    socket.write('\x16\x03\x01garbage\r\n\r\n')
    expect(String((await over).bytes)).to.match(/^HTTP\/1\.1 400 /)
    const quiet = outcome(await world.connect(port))
    await ask(port, 'app.example.org')
    await world.setUp.stop()
    await quiet
  })

  it('are given back when another cannot be had', async () => {
    const [port, taken] = [await freePort(), net.createServer().listen(0, '127.0.0.1')]
    world.later(() => taken.close())
    await once(taken, 'listening')
    const { port: used } = taken.address() as net.AddressInfo
    const listen = [
      { host: '127.0.0.1', port },
      { host: '127.0.0.1', port: used }
    ]
    const setUp = setUpExtension(proxyHttps({ listen }), 'server')
    const error = await setUp.start().catch((thrown: Error) => thrown)
    expect(error).to.have.property('code', 'listen.in-use')
    await setUp.stop()
    const again = net.createServer().listen(port, '127.0.0.1')
    world.later(() => again.close())
    await once(again, 'listening')
  })
})

describe('responses over TLS', () => {
  fixture()

  it('have Strict-Transport-Security for the hosts whose TLS ends here', async () => {
    await world.start({ certificates, hsts: { maxAge: 60, includeSubDomains: true, preload: true } })
    await world.publish({ host: 'passed.example.org' })
    const tap = tapOf('onResponse') as (context: unknown) => void
    const fields = (change: Partial<RequestContext>, headers: HeaderField[] = []): HeaderField[] => {
      tap({ request: request({ secure: true, ...change }), status: 200, headers })
      return headers
    }
    const field = ['Strict-Transport-Security', 'max-age=60; includeSubDomains; preload']
    expect(fields({})).to.deep.equal([field])
    expect(fields({ host: 'x.wild.example.org' }, [['A', 'b']])).to.deep.equal([['A', 'b'], field])
    expect(fields({ secure: false })).to.deep.equal([])
    expect(fields({ host: 'passed.example.org' })).to.deep.equal([])
    expect(fields({}, [['strict-transport-security', 'max-age=0']])).to.deep.equal([
      ['strict-transport-security', 'max-age=0']
    ])
  })

  it('have max-age of two years and nothing more by default', async () => {
    await world.start({ certificates, hsts: {} })
    const headers: HeaderField[] = []
    ;(tapOf('onResponse') as (context: unknown) => void)({ request: request({ secure: true }), headers })
    expect(headers).to.deep.equal([['Strict-Transport-Security', 'max-age=63072000']])
  })
})
