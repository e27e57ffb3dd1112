import { freePort } from '@rystra/testkit'
import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import { type CloseRequestContext, defineExtension, type RefusedContext } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import proxyPrivate from '@rystra/proxy-private'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { cuttable } from './cuttable.js'
import { ask, frontPort, mirror, type Mirrored, startHttpService, startRawService } from './http-world.js'
import {
  cleanUp,
  endOf,
  later,
  portOf,
  preset as plain,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit
} from './tunnel.js'

const preset = [...plain, proxyHttp, proxyHttps, proxyPrivate]
const listen = [{ host: '127.0.0.1', port: 0 }]

type Fields = Record<string, unknown>

/** What the server saw of requests that are over, and of streams that were refused. */
const witness = () => {
  const closed: CloseRequestContext[] = []
  const refused: RefusedContext[] = []
  const extension = defineExtension({
    name: 'witness',
    setup({ hooks, role }) {
      if (role === 'client') return
      hooks.onCloseRequest.tap((context) => void closed.push(context))
      hooks.onRefused.tap((context) => void refused.push(context))
    }
  })
  return { closed, refused, extension: extension() }
}

const serve = (more: Parameters<typeof startServer>[1] = [], server: Parameters<typeof startServer>[0] = {}) =>
  startServer(server, [proxyHttp({ listen }), proxyHttps({ listen }), ...more], { preset })

const join = (
  server: Server | number,
  id: string,
  entry: Fields,
  client: Parameters<typeof startClient>[2] = {},
  more: Parameters<typeof startClient>[3] = []
): Promise<Client> =>
  startClient(
    typeof server === 'number' ? server : portOf(server),
    [{ group: 'web', ...entry } as ProxyEntry],
    { id, ...client },
    more,
    { preset }
  )

const web = (local: unknown, more: Fields = {}): Fields => ({ name: 'web', kind: 'http', local, ...more })

/** Two members: `dead`, whose service is not there, and `well`. */
const pair = async (well: number, more: Fields = {}, only: { dead?: Fields; well?: Fields } = {}) => {
  const { closed, refused, extension } = witness()
  const server = await serve([extension])
  const dead = await join(server, 'dead', web(await freePort(), { ...more, ...only.dead }))
  await join(server, 'well', web(well, { ...more, ...only.well }))
  return { port: frontPort(dead), closed, refused, server }
}

const clientOf = ({ request }: CloseRequestContext): string => request.session.client.id

describe('http: another member of a group', () => {
  afterEach(cleanUp)

  it('is asked when the service of one cannot be reached, whatever the request, and the visitor sees none of it', async () => {
    const { port: well } = await startHttpService(mirror)
    const { port, closed, refused } = await pair(well, { requestHeaders: { add: { 'X-Once': 'once' } } })
    const body = 'b'.repeat(200_000)
    const responses = await Promise.all([
      ask(port, 'web.localhost', '/a'),
      ask(port, 'web.localhost', '/b'),
      ask(port, 'web.localhost', '/c', { method: 'POST', body }),
      ask(port, 'web.localhost', '/d', { method: 'POST', body, headers: { 'Transfer-Encoding': 'chunked' } })
    ])
    for (const { status, body: text } of responses) {
      expect(status, text).to.equal(200)
      const { target, body: came, rawHeaders } = JSON.parse(text) as Mirrored
      expect(came === (/[cd]$/.test(target) ? body : ''), `the body of ${target}`).to.equal(true)
      expect(rawHeaders.filter((name) => name === 'X-Once')).to.have.length(1)
    }
    // Hooks see one request each, with the client that served it, and the refused stream as well.
    await until(() => closed.length === 4)
    expect(closed.map(clientOf)).to.deep.equal(['well', 'well', 'well', 'well'])
    expect(closed.map(({ status, error }) => [status, error])).to.deep.equal(Array(4).fill([200, undefined]))
    expect(refused.map(({ error }) => error.code)).to.include('stream.service-unreachable')
  })

  it('is asked by HTTP/2, and for a change of protocol', async () => {
    const server = http.createServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    later(() => server.close())
    const upgrading = await pair((server.address() as AddressInfo).port)
    for (let count = 0; count < 2; count += 1) {
      const socket = await visit(upgrading.port)
      socket.write('GET / HTTP/1.1\r\nHost: web.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
      socket.end('said')
      expect(String(await readAll(socket))).to.match(/^HTTP\/1\.1 101 [\s\S]*said$/)
    }

    const multiplexed = http2.createServer((_, response) => response.end('by h2'))
    multiplexed.listen(0, '127.0.0.1')
    await once(multiplexed, 'listening')
    later(() => multiplexed.close())
    const { port } = await pair((multiplexed.address() as AddressInfo).port, { h2: true })
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask(port, 'web.localhost')))
    expect(answers.map(({ body }) => body)).to.deep.equal(Array(4).fill('by h2'))
  })

  it('is asked when one is cut off and does not know it', async () => {
    const { port: well } = await startHttpService((_, response) => response.end('well'))
    const server = await serve([], { takeoverTimeout: 200 })
    const line = await cuttable(portOf(server))
    const cut = await join(line.port, 'cut', web(well, { responseHeaders: { set: { 'X-By': 'cut' } } }))
    await join(server, 'well', web(well, { responseHeaders: { set: { 'X-By': 'well' } } }))
    const port = frontPort(cut)
    line.swallow()
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask(port, 'web.localhost')))
    expect(answers.map(({ status, headers }) => [status, headers['x-by']])).to.deep.equal(Array(4).fill([200, 'well']))
    await until(() => server.sessions.length === 1)
  })

  it('is asked when a service breaks off before it answers, if the request may be made twice', async () => {
    let came = 0
    const breaking = await startRawService((socket) => {
      socket.once('data', () => {
        came += 1
        socket.resetAndDestroy()
      })
    })
    const { port: well } = await startHttpService(mirror)
    const { closed, extension } = witness()
    const server = await serve([extension])
    const first = await join(server, 'breaking', web(breaking))
    await join(server, 'well', web(well))
    const port = frontPort(first)
    for (let count = 0; count < 4; count += 1) expect((await ask(port, 'web.localhost')).status).to.equal(200)
    expect(came, 'requests that the broken one got').to.be.within(1, 4)
    const statuses: number[] = []
    for (let count = 0; count < 4; count += 1)
      statuses.push((await ask(port, 'web.localhost', '/', { method: 'POST', body: 'pay' })).status)
    expect(statuses.sort()).to.deep.equal([200, 200, 502, 502])
    await until(() => closed.length === 8)
    expect(closed.filter(({ status }) => status === 502).map(clientOf)).to.deep.equal(['breaking', 'breaking'])
  })

  it('is not asked when it would be asked for something else, or lets others in', async () => {
    const { port: well } = await startHttpService((_, response) => response.end('secrets'))
    const basicAuth = { user: 'ann', password: 'right' }
    for (const only of [{ requestHeaders: { set: { 'X-Tenant': '2' } } }, { basicAuth }]) {
      const { port } = await pair(well, {}, { well: only })
      const statuses = await Promise.all([1, 2].map(() => ask(port, 'web.localhost')))
      expect(statuses.map(({ status }) => status)).to.include(502)
      await cleanUp()
    }
  })

  it('is not asked for a visitor that a hook refused', async () => {
    const { port: well } = await startHttpService((_, response) => response.end('well'))
    const refuses = defineExtension({
      name: 'refuses',
      setup({ hooks, role }) {
        if (role === 'client') hooks.onOpenStream.tap(() => ({ deny: 'not from there' }))
      }
    })
    const server = await serve()
    const strict = await join(server, 'strict', web(well), {}, [refuses()])
    await join(server, 'well', web(well))
    const answers = [await ask(frontPort(strict), 'web.localhost'), await ask(frontPort(strict), 'web.localhost')]
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 403])
  })

  it('is not there: each was asked once, and the answer says why', async () => {
    const { port, refused, closed } = await pair(await freePort())
    const { status, headers } = await ask(port, 'web.localhost')
    expect([status, headers['x-rystra-error']]).to.deep.equal([502, 'stream.service-unreachable'])
    expect(refused.map(({ stream }) => stream?.session.client.id).sort()).to.deep.equal(['dead', 'well'])
    expect(closed).to.have.length(1)
  })
})

describe('https: another member of a group', () => {
  afterEach(cleanUp)

  it('is asked when the service of one cannot be reached, with every byte of the visitor', async () => {
    const server = await serve()
    const own = (local: number): Fields => ({ name: 'own', kind: 'https', local })
    const dead = await join(server, 'dead', own(await freePort()))
    await join(server, 'well', own(await startService((socket) => void socket.pipe(socket))))
    const port = Number(new URL(dead.proxies[0]?.address ?? '').port)
    const hello = await helloTo('own.localhost')
    for (let count = 0; count < 4; count += 1) {
      const visitor = await visit(port)
      visitor.end(Buffer.concat([hello, Buffer.from('and more')]))
      expect(await readAll(visitor)).to.deep.equal(Buffer.concat([hello, Buffer.from('and more')]))
    }
  })

  it('is not there: the visitor is reset', async () => {
    const { refused, extension } = witness()
    const server = await serve([extension])
    const own = (local: number): Fields => ({ name: 'own', kind: 'https', local })
    const dead = await join(server, 'dead', own(await freePort()))
    await join(server, 'gone', own(await freePort()))
    const visitor = await visit(Number(new URL(dead.proxies[0]?.address ?? '').port))
    visitor.write(await helloTo('own.localhost'))
    expect(await endOf(visitor)).to.equal('ECONNRESET')
    expect(refused.map(({ stream }) => stream?.session.client.id).sort()).to.deep.equal(['dead', 'gone'])
  })
})

describe('private: another member of a group', () => {
  afterEach(cleanUp)
  const secret = 'a secret of some length, for tests'
  const db = (local: number, more: Fields = {}): Fields => ({ name: 'db', kind: 'private', local, secret, ...more })

  const forwarderOf = (server: Server): Promise<Client> =>
    startClient(
      portOf(server),
      [],
      { id: 'forwarder', forwards: [{ name: 'way', of: 'db', secret, bind: 0 }] as never },
      [],
      { preset }
    )
  const wayIn = (forwarder: Client): number => Number(forwarder.forwards[0]?.address.split(':').at(-1))

  it('is asked when the service of one cannot be reached, and the visitor sees none of it', async () => {
    const server = await serve()
    await join(server, 'dead', db(await freePort()))
    await join(server, 'well', db(await startService((socket) => void socket.pipe(socket))))
    const forwarder = await forwarderOf(server)
    for (let count = 0; count < 4; count += 1) {
      const visitor = await visit(wayIn(forwarder))
      visitor.end('asked early')
      expect(String(await readAll(visitor))).to.equal('asked early')
    }
  })

  it('is not asked by a visitor without the secret of the chosen member', async () => {
    const { refused, extension } = witness()
    const server = await serve([extension])
    const service = await startService((socket) => void socket.end('in'))
    await join(server, 'other', db(service, { secret: 'another secret of some length' }))
    await join(server, 'well', db(service))
    const forwarder = await forwarderOf(server)
    const ends = [await endOf(await visit(wayIn(forwarder))), await endOf(await visit(wayIn(forwarder)))]
    expect(ends.sort()).to.deep.equal(['ECONNRESET', 'end'])
    await until(() => refused.length === 1)
    expect(refused[0]?.error.code).to.equal('stream.no-visits')
  })

  it('is not there: the visitor is told why, and a visitor who goes meanwhile leaves nothing open', async () => {
    const { refused, extension } = witness()
    const server = await serve([extension])
    await join(server, 'dead', db(await freePort()))
    await join(server, 'gone', db(await freePort()))
    const forwarder = await forwarderOf(server)
    const refusal = once(forwarder, 'refused')
    expect(await endOf(await visit(wayIn(forwarder)))).to.equal('ECONNRESET')
    expect((await refusal)[0].error.code).to.equal('stream.service-unreachable')
    expect(refused.map(({ stream }) => stream?.session.client.id).sort()).to.deep.equal(['dead', 'gone'])
    const impatient = await visit(wayIn(forwarder))
    await until(() => server.streams > 0)
    impatient.resetAndDestroy()
    await until(() => server.streams === 0 && forwarder.streams === 0)
  })
})

/** A ClientHello that asks for this name. */
const helloTo = async (servername: string): Promise<Buffer> => {
  const { connect } = await import('node:tls')
  const sink = net.createServer().listen(0, '127.0.0.1')
  await once(sink, 'listening')
  const asking = connect({ host: '127.0.0.1', port: (sink.address() as AddressInfo).port, servername })
  asking.on('error', () => {})
  const [socket] = (await once(sink, 'connection')) as [net.Socket]
  const [hello] = (await once(socket, 'data')) as [Buffer]
  asking.destroy()
  sink.close()
  return hello
}
