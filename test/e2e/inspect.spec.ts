import inspectHttp from '@rystra/inspect-http'
import { type AdminCaller, type AdminRoutes, defineExtension } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import {
  ask,
  frontPort,
  mirror,
  startHttpClient,
  startHttpServer,
  startHttpService,
  startRawService
} from './http-world.js'
import { cleanUp, visit } from './tunnel.js'

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
type Json = any

const admin: AdminCaller = { name: 'test', scope: 'admin' }

/** Calls routes as the admin API does. */
const caller = () => {
  let routes: AdminRoutes | undefined
  const use = defineExtension({
    name: 'routes-of-inspect',
    setup: ({ registries }) => ({
      start: () => {
        routes = registries.adminRoutes.get('inspect')
      }
    })
  })()
  const call = async (method: string, path: string, request: Json = {}): Promise<Json> => {
    const route = routes?.routes.find((one) => one.method === method && one.path === path)
    const query = { limit: 100, secrets: false, ...request.query }
    const whole = { params: {}, body: {}, caller: admin, signal: new AbortController().signal, ...request, query }
    return route?.handle(whole as never)
  }
  const list = async (query = {}): Promise<Json[]> => (await call('GET', '/exchanges', { query })).items
  const show = (id: string, secrets = false) => call('GET', '/exchanges/:id', { params: { id }, query: { secrets } })
  const replay = (id: string, body = {}) => call('POST', '/exchanges/:id/replay', { params: { id }, body })
  const over = (count: number) =>
    until(async () => (await list()).filter((one) => one.duration !== undefined).length === count)
  return { use, call, list, show, replay, over }
}

/** A tunnel of http that is watched at one of its ends. */
const world = async (side: 'server' | 'client', service: number, proxy = {}, options = {}) => {
  const api = caller()
  const watching = [inspectHttp(options), api.use]
  const server = await startHttpServer({}, side === 'server' ? watching : [])
  const proxies = [{ name: 'app', kind: 'http', local: service, host: 'app.example.org', ...proxy }]
  const client = await startHttpClient(server, proxies, {}, side === 'client' ? watching : [])
  return { ...api, client, port: frontPort(client, 'app') }
}

for (const side of ['server', 'client'] as const) {
  describe(`requests that are watched at the ${side}`, () => {
    afterEach(cleanUp)

    it('are kept with heads, bodies and times; secrets are masked, and shown to those who may see them', async () => {
      const { port } = await startHttpService(mirror)
      const { port: front, list, show, over } = await world(side, port)
      const headers = { authorization: 'Bearer hidden', cookie: 'a=hidden', 'x-plain': 'seen' }
      const path = '/a?token=hidden&b=1'
      const answered = await ask(front, 'app.example.org', path, { method: 'POST', headers, body: 'hello' })
      expect(answered.status).equal(200)
      await over(1)
      const [summary] = await list()
      expect(summary).deep.include({
        proxy: 'app',
        client: 'test',
        visitor: '127.0.0.1',
        method: 'POST',
        url: 'http://app.example.org/a?token=[masked]&b=1',
        status: 200,
        requestLength: 5,
        responseLength: answered.body.length
      })
      const masked = await show(summary.id)
      expect(JSON.stringify(masked.request.headers)).not.include('hidden')
      expect(masked.request.headers).deep.include(['x-plain', 'seen'])
      expect(masked.request.body).deep.equal({ length: 5, truncated: false, text: 'hello' })
      expect(masked.response.body.text).equal(answered.body)
      const { sent, responded, ended } = masked.timeline
      expect([sent <= responded, responded <= ended]).deep.equal([true, true])
      const shown = await show(summary.id, true)
      expect(shown.request.headers).deep.include(['authorization', 'Bearer hidden'])
    })

    it('are found by what is in them, and exported as curl and HAR', async () => {
      const { port } = await startHttpService((request, response) => {
        response.statusCode = request.url === '/missing' ? 404 : 200
        response.setHeader('content-encoding', 'gzip').end(gzipSync('needle in the hay'))
      })
      const { port: front, list, over, call } = await world(side, port)
      await ask(front, 'app.example.org', '/found')
      await ask(front, 'app.example.org', '/missing', { method: 'POST', body: "it's" })
      await over(2)
      const urls = async (query: object) =>
        (await list(query)).map(({ url }) => url.slice('http://app.example.org'.length))
      expect(await urls({})).deep.equal(['/missing', '/found'])
      expect(await urls({ status: '4xx' })).deep.equal(['/missing'])
      expect(await urls({ q: 'FOUND' })).deep.equal(['/found'])
      expect(await urls({ q: "it's" })).deep.equal(['/missing'])
      expect(await urls({ method: 'get' })).deep.equal(['/found'])
      expect(await urls({ proxy: 'other' })).deep.equal([])
      const [{ id }] = await list()
      const curl = await call('GET', '/exchanges/:id/curl', { params: { id } })
      expect(curl).include("curl 'http://app.example.org/missing'").and.include("--data-raw 'it'\\''s'")
      const har = await call('GET', '/har', { query: { status: '200' } })
      expect(har.log.version).equal('1.2')
      expect(har.log.entries).length(1)
      expect(har.log.entries[0].response.content.text).equal('needle in the hay')
      await call('DELETE', '/exchanges')
      expect(await list()).deep.equal([])
    })

    it('are sent again to their own service, as they were or edited, and marked', async () => {
      const { port } = await startHttpService(mirror)
      const { port: front, list, over, replay } = await world(side, port)
      await ask(front, 'app.example.org', '/a', {
        method: 'PUT',
        headers: { authorization: 'Bearer hidden' },
        body: 'one'
      })
      await over(1)
      const [{ id }] = await list()
      const again = await replay(id)
      expect(again).deep.include({ replayOf: id, status: 200, method: 'PUT' })
      const mirrored = JSON.parse(again.response.body.text)
      expect(mirrored).deep.include({ body: 'one', target: '/a' })
      expect(mirrored.headers).include({
        'x-rystra-replay': id,
        authorization: 'Bearer hidden',
        host: 'app.example.org'
      })
      const edit = {
        method: 'POST',
        target: '/b',
        headers: [
          ['Authorization', '[masked]'],
          ['X-New', '1']
        ],
        text: 'two'
      }
      const edited = JSON.parse((await replay(id, edit)).response.body.text)
      expect(edited).deep.include({ method: 'POST', target: '/b', body: 'two' })
      expect(edited.headers).include({ authorization: 'Bearer hidden', 'x-new': '1' })
      for (const bad of [
        { target: 'http://192.0.2.1/' },
        { method: 'A B' },
        { headers: [['a\r\nb', 'c']] },
        { target: '/a b' }
      ]) {
        expect(await replay(id, bad).catch((error) => error.code)).equal('usage.invalid')
      }
      expect(await replay('x').catch((error) => error.code)).equal('inspect-http.not-found')
    })

    it('are sent again without the coding of a body that was edited: it was decoded to be shown', async () => {
      const { port } = await startHttpService(mirror)
      const { port: front, list, over, replay, show } = await world(side, port)
      const headers = { 'content-encoding': 'gzip', 'content-type': 'text/plain' }
      await ask(front, 'app.example.org', '/', { method: 'POST', headers, body: gzipSync('shown') })
      await over(1)
      const [{ id }] = await list()
      expect((await show(id)).request.body.text).equal('shown')
      const edited = JSON.parse((await replay(id, { text: 'edited' })).response.body.text)
      expect([edited.body, edited.headers['content-encoding']]).deep.equal(['edited', undefined])
      expect(JSON.parse((await replay(id)).response.body.text).headers['content-encoding']).equal('gzip')
    })

    it('are kept up to a bound; what was truncated is not sent again', async () => {
      const size = 300_000
      const { port } = await startHttpService((request, response) => {
        request.resume().on('end', () => response.end(Buffer.alloc(size, 'r')))
      })
      const { port: front, list, over, show, replay } = await world(side, port, {}, { exchanges: 2 })
      for (let turn = 0; turn < 3; turn += 1)
        await ask(front, 'app.example.org', `/${turn}`, { method: 'POST', body: Buffer.alloc(size, 'q') })
      await over(2)
      const all = await list()
      expect(all.map(({ url }) => url.at(-1))).deep.equal(['2', '1'])
      const { request, response } = await show(all[0].id)
      for (const { body } of [request, response]) {
        expect(body).include({ length: size, truncated: true })
        expect(body.text).length(65_536)
      }
      expect(await replay(all[0].id).catch((error) => error.code)).equal('inspect-http.truncated')
      expect((await replay(all[0].id, { text: 'short' })).status).equal(200)
    })

    it('may change the protocol: that is noted, and not what follows', async () => {
      const port = await startRawService((socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
          socket.on('data', (chunk) => socket.write(chunk))
          socket.on('end', () => socket.end())
        })
      })
      const { port: front, list, over, replay } = await world(side, port)
      const socket = await visit(front)
      socket.write('GET /ws HTTP/1.1\r\nHost: app.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await once(socket, 'data')
      const bytes = randomBytes(64)
      socket.write(bytes)
      const [echoed] = await once(socket, 'data')
      expect(echoed).deep.equal(bytes)
      socket.destroy()
      await over(1)
      const [exchange] = await list()
      expect(exchange).include({ status: 101, protocol: 'websocket', responseLength: 0 })
      expect(await replay(exchange.id).catch((error) => error.code)).equal('inspect-http.upgraded')
    })

    it('are not changed or held up by being watched: large bodies, many on one connection, answers that never end', async () => {
      const { port } = await startHttpService((request, response) => {
        if (request.url === '/endless') response.write('begin')
        else request.pipe(response)
      })
      const { port: front, list, call } = await world(side, port)
      const body = randomBytes(3_000_000)
      const all = await Promise.all(
        Array.from({ length: 8 }, () => ask(front, 'app.example.org', '/big', { method: 'POST', body }))
      )
      for (const { status, headers } of all) expect([status, headers['transfer-encoding']]).deep.equal([200, 'chunked'])
      const small = await Promise.all(Array.from({ length: 50 }, (_, at) => ask(front, 'app.example.org', `/${at}`)))
      expect(small.every(({ status }) => status === 200)).equal(true)
      const socket = await visit(front)
      socket.write('GET /endless HTTP/1.1\r\nHost: app.example.org\r\n\r\n')
      await until(async () => (await list({ q: '/endless' }))[0]?.responseLength === 5)
      const lines = (await call('GET', '/live')) as AsyncGenerator<string>
      await lines.next()
      const next = lines.next()
      socket.destroy()
      expect(JSON.parse((await next).value)).include({ method: 'GET', status: 200 })
      await lines.return(undefined)
      expect((await list({ q: '/endless' }))[0]).include({ error: 'stream.reset' })
    })
  })
}

describe('watching at the client', () => {
  afterEach(cleanUp)

  it('shows nothing of what is not HTTP, and passes it', async () => {
    const port = await startRawService((socket) => {
      socket.once('data', () => socket.end('SSH-2.0-x\r\n'))
    })
    const { port: front, list, over } = await world('client', port)
    expect((await ask(front, 'app.example.org', '/')).status).equal(502)
    await over(1)
    expect((await list())[0]).include({ status: 0, error: 'stream.reset' })
  })

  it('survives heads that are too large to be read here', async () => {
    const large = 'x'.repeat(60_000)
    const port = await startRawService((socket) => {
      socket.on('data', () => {})
      socket.once('data', () =>
        socket.write(`HTTP/1.1 200 OK\r\na: ${large}\r\nb: ${large}\r\nContent-Length: 0\r\n\r\n`)
      )
    })
    const { port: front, list, over } = await world('client', port)
    const { status } = await ask(front, 'app.example.org', '/')
    expect(status === 200 || status === 502).equal(true)
    await over(1)
    expect((await list())[0]).include({ status: 0, error: 'stream.reset' })
  })

  it('begins and ends with a reload, and what was seen stays', async () => {
    const { port } = await startHttpService(mirror)
    const api = caller()
    const server = await startHttpServer()
    // Connections that are kept from before are not watched.
    const proxies = [{ name: 'app', kind: 'http', local: port, host: 'app.example.org', reuse: 'never' }]
    const client = await startHttpClient(server, proxies)
    const front = frontPort(client, 'app')
    await ask(front, 'app.example.org', '/before')
    const config = client.runtime.control.config() as Json
    const { default: authToken } = await import('@rystra/auth-token')
    const { token } = await import('./tunnel.js')
    const withExtensions = (more: Json[]) => ({ ...config, extensions: [authToken({ token }), ...more] })
    const { default: proxyHttp } = await import('@rystra/proxy-http')
    await client.reload(withExtensions([proxyHttp(), inspectHttp(), api.use]))
    await ask(front, 'app.example.org', '/between')
    await until(async () => (await api.list({ q: '/between' })).length === 1)
    expect(await api.list({ q: '/before' })).deep.equal([])
    await client.reload(withExtensions([proxyHttp(), inspectHttp({ body: 100 }), api.use]))
    await ask(front, 'app.example.org', '/after')
    await until(async () => (await api.list()).length === 2)
    await client.reload(withExtensions([proxyHttp()]))
    expect((await ask(front, 'app.example.org', '/last')).status).equal(200)
    expect((await api.list()).length).equal(2)
  })
})
