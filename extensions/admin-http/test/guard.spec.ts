import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { FakeRuntime, tokens, withWorld, World } from './world.js'
import adminHttp from '../src/index.js'
import { setUpExtension } from '@rystra/testkit'

const drop = { method: 'DELETE', token: tokens.operate }

/** Sends bytes, and resolves with all that comes back until the connection is closed. */
const raw = (port: number, bytes: string | Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(Buffer.concat(chunks).toString()) : reject(error)
    )
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
  })

describe('admin-http, callers', () => {
  it(
    'needs a token over TCP, whatever is asked for',
    withWorld(async (world) => {
      for (const path of [
        '/v1/status',
        '/v1/events',
        '/v1/openapi.json',
        '/v1/sessions/s1',
        '/v1/config',
        '/v1/metrics'
      ])
        expect((await world.call(path)).status, path).equal(401)
      const { headers, json } = await world.call('/v1/sessions/s1', {
        method: 'DELETE',
        token: 'wrong-token-0123456789'
      })
      expect(json.code).equal('admin.unauthorized')
      expect(headers['www-authenticate']).match(/^Bearer/)
      for (const authorization of [
        'Basic YTpi',
        'Bearer',
        `Bearer ${tokens.admin} x`,
        `Token ${tokens.admin}`,
        'Bearer é'
      ])
        expect((await world.call('/v1/status', { headers: { authorization } })).status, authorization).equal(401)
      expect(world.runtime.closed).deep.equal([])
    })
  )

  it(
    'keeps scopes apart',
    withWorld(async (world) => {
      const change = await world.call('/v1/sessions/s1', { method: 'DELETE', token: tokens.read })
      expect(change.json).deep.include({ status: 403, code: 'admin.forbidden' })
      const body = {}
      expect((await world.call('/v1/reload', { method: 'POST', token: tokens.operate, body })).status).equal(403)
      expect((await world.call('/v1/drain', { method: 'POST', token: tokens.operate, body })).status).equal(403)
      const plan = { method: 'POST', token: tokens.operate, body: { config: {} } }
      expect((await world.call('/v1/plan', plan)).status).equal(403)
      expect((await world.call('/v1/drain', { method: 'POST', token: tokens.admin, body })).json).deep.equal({
        streams: 0
      })
      expect(world.runtime.closed).deep.equal([])
    })
  )

  it(
    'takes a token that is configured as its hash',
    withWorld(
      async (world) => {
        expect((await world.call('/v1/status', { token: 'a-token-that-is-hashed' })).status).equal(200)
        expect((await world.call('/v1/status', { token: hash })).status).equal(401)
      },
      () => new World(new FakeRuntime(), { tokens: [{ name: 'ci', token: `sha256:${hash}`, scope: 'read' }] })
    )
  )
  const hash = createHash('sha256').update('a-token-that-is-hashed').digest('hex')

  it(
    'slows down an address that fails, and serves callers with a token from there all the same',
    withWorld(async (world) => {
      const statuses: number[] = []
      for (let index = 0; index < 15; index += 1)
        statuses.push((await world.call('/v1/status', { token: `wrong-${index}` })).status)
      expect(statuses.slice(0, 10)).deep.equal(Array(10).fill(401))
      expect(statuses.slice(10)).deep.equal(Array(5).fill(429))
      const late = await world.call('/v1/status', { token: 'wrong' })
      expect(Number(late.headers['retry-after'])).greaterThan(0)
      expect((await world.call('/v1/status', { token: tokens.read })).status).equal(200)
      world.clock.advance(5000)
      expect((await world.call('/v1/status', { token: 'wrong' })).status).equal(401)
    })
  )

  it(
    'has a rate for each caller: one that floods it stops no other',
    withWorld(async (world) => {
      let refused = 0
      for (let index = 0; index < 60; index += 1)
        if ((await world.call('/v1/sessions/none', drop)).status === 429) refused += 1
      expect(refused).equal(10)
      expect((await world.call('/v1/sessions/s1', { method: 'DELETE', token: tokens.admin })).status).equal(204)
    })
  )
})

describe('admin-http, pages of others', () => {
  it(
    'refuses changes from another origin or site, and hosts that are not its own',
    withWorld(async (world) => {
      const refused = async (headers: Record<string, string>): Promise<void> => {
        const { json } = await world.call('/v1/sessions/s1', { ...drop, headers })
        expect(json.code, JSON.stringify(headers)).equal('admin.forbidden')
      }
      await refused({ origin: 'https://evil.example' })
      await refused({ origin: 'null' })
      await refused({ origin: `http://127.0.0.1:${world.port + 1}` })
      await refused({ 'sec-fetch-site': 'cross-site' })
      await refused({ 'sec-fetch-site': 'same-site' })
      for (const host of [
        'evil.example',
        '127.0.0.1.evil.example',
        'localhost.evil.example:80',
        '10.0.0.1',
        '[::1',
        'a@b'
      ])
        await refused({ host })
      // DNS rebinding: the page itself, too.
      expect((await world.call('/', { headers: { host: 'evil.example' } })).status).equal(403)
      expect(world.runtime.closed).deep.equal([])
      const origin = `http://127.0.0.1:${world.port}`
      const own = await world.call('/v1/sessions/s1', { ...drop, headers: { origin, 'sec-fetch-site': 'same-origin' } })
      expect(own.status).equal(204)
    })
  )

  it(
    'answers no preflight, and changes nothing by GET',
    withWorld(async (world) => {
      const preflight = await world.call('/v1/sessions/s1', {
        method: 'OPTIONS',
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'DELETE' }
      })
      expect(preflight.status).greaterThan(399)
      expect(preflight.headers).not.have.property('access-control-allow-origin')
      for (const path of ['/v1/reload', '/v1/plan', '/v1/drain', '/v1/log-level'])
        expect((await world.call(path, { token: tokens.admin })).status, path).equal(404)
    })
  )

  it(
    'takes JSON only',
    withWorld(async (world) => {
      const post = (type: string, body: unknown = '{}') =>
        world.call('/v1/plan', { method: 'POST', token: tokens.admin, body, headers: { 'content-type': type } })
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
        'application/jsonx',
        ''
      ])
        expect((await post(type)).json, type).include({ status: 415, code: 'admin.invalid' })
      for (const body of ['{', '{"a":', '[1,2', '{"__proto__":{"x":1}}', 'null', '[]', '"x"', '{"unknown":1}'])
        expect((await post('application/json', body)).json, body).include({ status: 400, code: 'admin.invalid' })
    })
  )
})

describe('admin-http, bad input', () => {
  it(
    'refuses giant bodies and heads, ends halves, and goes on',
    withWorld(async (world) => {
      const giant = JSON.stringify({ config: { x: 'x'.repeat(2 ** 20) } })
      const head = `POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokens.admin}\r\nContent-Type: application/json\r\n`
      expect(await raw(world.port, `${head}Content-Length: ${giant.length}\r\nConnection: close\r\n\r\n`)).match(
        /^HTTP\/1.1 413 /
      )
      expect(
        await raw(world.port, `GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)
      ).match(/^HTTP\/1.1 431 /)
      expect(await raw(world.port, 'nonsense\r\n\r\n')).match(/^HTTP\/1.1 400 /)
      // A body that ends before its length.
      const half = net.connect(world.port, '127.0.0.1', () => half.end(`${head}Content-Length: 100\r\n\r\n{"config"`))
      await new Promise((resolve) =>
        half
          .on('close', resolve)
          .resume()
          .on('error', () => {})
      )
      const hidden = `/v1/sessions/${encodeURIComponent('../../config')}`
      expect((await world.call(hidden, { token: tokens.read })).status).equal(404)
      expect((await world.call(`/v1/sessions/${'x'.repeat(600)}`, { token: tokens.read })).status).equal(400)
      expect((await world.call('/v1/sessions/%zz', { token: tokens.read })).status).equal(400)
      expect((await world.call('/../../../etc/passwd', { token: tokens.read })).status).equal(404)
      expect((await world.call('/v1/status', { token: tokens.read })).status).equal(200)
    })
  )

  it(
    'answers connections beyond its limit by 503 and a code, and takes new ones when others have gone',
    withWorld(
      async (world) => {
        const idle = await Promise.all(
          [1, 2].map(
            () =>
              new Promise<net.Socket>((resolve) => {
                const socket = net.connect(world.port, '127.0.0.1', () => resolve(socket))
                socket.on('error', () => {})
              })
          )
        )
        const refused = await raw(world.port, 'GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n')
        expect(refused).match(/^HTTP\/1.1 503 /)
        expect(refused).include('"code":"admin.busy"').and.include('2 connections are open')
        for (const socket of idle) socket.destroy()
        let answer = ''
        while (!answer.startsWith('HTTP/1.1 200'))
          answer = await raw(world.port, 'GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        expect(answer).match(/^HTTP\/1.1 200/)
      },
      () => new World(new FakeRuntime(), { connections: 2 })
    )
  )

  it(
    'closes a connection that ends before its handshake of TLS',
    withWorld(
      async (world) => {
        const socket = net.connect({ port: world.port, host: '127.0.0.1', allowHalfOpen: true })
        socket.end().resume()
        // The limit of a handshake is ten seconds.
        await once(socket, 'end', { signal: AbortSignal.timeout(5000) })
        socket.destroy()
      },
      () => new World(new FakeRuntime(), { listen: [{ host: '127.0.0.1', port: 0, tls: {} }] })
    )
  )

  it('refuses to listen for other machines in clear text', () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.org'])
      expect(() => setUpExtension(adminHttp({ listen: [{ host, port: 0 }] }), 'server'), host).throw(/clear text/)
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
      expect(() => setUpExtension(adminHttp({ listen: [{ host, port: 0 }] }), 'server'), host).not.throw()
    expect(() => setUpExtension(adminHttp({ listen: [{ host: '0.0.0.0', port: 0, tls: {} }] }), 'server')).not.throw()
  })
})
