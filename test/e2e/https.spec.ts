import { issueServer, type KeyPair, makeAuthority } from '@rystra/certificates'
import type { Client } from '@rystra/client'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import type { Server, ServerOptions } from '@rystra/server'
import { FakeClock } from '@rystra/testkit'
import transportTls from '@rystra/transport-tls'
import { expect } from 'chai'
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { ask, type Asking, mirror, type Mirrored, startHttpService } from './http-world.js'
import {
  cleanUp,
  endOf,
  later,
  otherToken,
  portOf,
  preset as plain,
  serverConfig,
  startClient,
  startServer,
  until
} from './tunnel.js'

const preset = [...plain, proxyHttp, proxyHttps, transportTls]
const free = [{ host: '127.0.0.1', port: 0 }]

let ca: KeyPair
let here: KeyPair
let renewed: KeyPair
let there: KeyPair
let dir: string

const write = ({ cert, key }: KeyPair): { cert: string; key: string } => {
  writeFileSync(path.join(dir, 'here.crt'), cert)
  writeFileSync(path.join(dir, 'here.key'), key)
  return { cert: 'here.crt', key: 'here.key' }
}

const extensions = (options: Record<string, unknown>): NonNullable<RystraConfig['extensions']> => [
  proxyHttp({ listen: free }),
  proxyHttps({ listen: free, ...options })
]

const serve = (options: Record<string, unknown> = {}, more: Partial<ServerOptions> = {}): Promise<Server> =>
  startServer({}, extensions(options), { preset, dir, ...more })

const join = (
  server: Server,
  proxies: readonly ProxyEntry[],
  client: Parameters<typeof startClient>[2] = {}
): Promise<Client> => startClient(portOf(server), proxies, client, [], { preset })

const addressOf = (client: Client, name: string): URL =>
  new URL(client.proxies.find((one) => one.name === name)?.address ?? 'none:')

/** A service that speaks TLS itself. */
const startOwn = async (name: string): Promise<number> => {
  const server = https.createServer({ ...there }, (request, response) => {
    const hash = createHash('sha256')
    request.on('data', (chunk: Buffer) => hash.update(chunk))
    request.on('end', () => response.end(`${name} ${hash.digest('hex')}`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

interface Seen {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
  readonly serial: string
}

/** Asks by https, for `host` with the same name in the ClientHello unless that is given. */
const askTls = (port: number, host: string, { body, ...options }: https.RequestOptions & Asking = {}): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const request = https.request(
      { host: '127.0.0.1', port, servername: host, ca: ca.cert, agent: false, ...options, headers: { host } },
      (response) => {
        const { serialNumber: serial } = (response.socket as tls.TLSSocket).getPeerCertificate()
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
            serial
          })
        )
      }
    )
    request.on('error', reject)
    request.end(body)
  })

const failureOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    ({ code, message }: NodeJS.ErrnoException) => (code === undefined || code === 'EPROTO' ? message : code)
  )

const serialIn = ({ cert }: KeyPair): string => new X509Certificate(cert).serialNumber

const own = (local: number | string, more: Record<string, unknown> = {}) => ({
  name: 'own',
  kind: 'https',
  local,
  host: ['own.example.org', '*.own.example.org'],
  ...more
})

const startMirror = async (): Promise<number> => (await startHttpService((...args) => void mirror(...args))).port

/** What each of the groups below begins and ends with. */
const fixture = (): void => {
  before(async () => {
    ca = await makeAuthority({ commonName: 'tests', bits: 2048 })
    const names = ['app.example.org', '*.apps.example.org']
    ;[here, renewed, there] = await Promise.all([
      issueServer(ca, { commonName: 'app.example.org', names }),
      issueServer(ca, { commonName: 'app.example.org', names }),
      issueServer(ca, { commonName: 'own.example.org', names: ['own.example.org', '*.own.example.org'] })
    ])
  })
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'rystra-https-'))
  })
  afterEach(async () => {
    await cleanUp()
    rmSync(dir, { recursive: true, force: true })
  })
}

describe('https that passes through', () => {
  fixture()

  it('is the service’s own TLS, by name and wildcard, also HTTP/2 and many at once', async () => {
    const server = await serve()
    const client = await join(server, [
      own(await startOwn('own')),
      own(await startOwn('two'), { name: 'two', host: 'two.own.example.org' })
    ])
    const { port, host } = addressOf(client, 'own')
    expect(host).to.equal(`own.example.org:${port}`)
    const body = randomBytes(2_000_000)
    const sum = createHash('sha256').update(body).digest('hex')
    const answers = await Promise.all(
      ['own', 'a.own', 'two.own', 'b.c.own'].map((name) =>
        askTls(Number(port), `${name}.example.org`, {
          method: 'POST',
          body,
          rejectUnauthorized: !name.startsWith('b.')
        })
      )
    )
    expect(answers.map((answer) => answer.body)).to.deep.equal([`own ${sum}`, `own ${sum}`, `two ${sum}`, `own ${sum}`])
    expect(new Set(answers.map(({ serial }) => serial))).to.deep.equal(new Set([serialIn(there)]))
    const service = http2.createSecureServer({ ...there }, (_, response) => response.end('by HTTP/2'))
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    later(() => service.close())
    await client.publish(own((service.address() as AddressInfo).port, { name: 'h2', host: 'h2.own.example.org' }))
    const session = http2.connect(`https://h2.own.example.org:${port}`, {
      ca: ca.cert,
      createConnection: () =>
        tls.connect({
          host: '127.0.0.1',
          port: Number(port),
          servername: 'h2.own.example.org',
          ca: ca.cert,
          ALPNProtocols: ['h2']
        })
    })
    later(() => session.destroy())
    const stream = session.request({ ':path': '/' })
    stream.setEncoding('utf8')
    expect((await once(stream, 'data'))[0]).to.equal('by HTTP/2')
  })

  it('belongs to one tenant, and is free when its client is gone', async () => {
    const server = await serve()
    const client = await join(server, [own(await startOwn('own'))])
    const port = Number(addressOf(client, 'own').port)
    const refused: string[] = []
    server.on('refused', ({ error }) => refused.push(error.code))
    const thief = await join(server, [], { id: 'thief', token: otherToken })
    for (const host of ['own.example.org', 'x.own.example.org', '*.example.org']) {
      // It may be free later: the client keeps asking, until it does not want it any more.
      expect(await thief.publish(own(1, { name: 'thief', host })), host).to.deep.equal([])
      expect(refused.splice(0), host).to.deep.equal(['proxy.claimed'])
      thief.unpublish('thief')
    }
    expect((await askTls(port, 'own.example.org')).body).to.match(/^own /)
    await client.stop({ drain: 0 })
    await until(() => server.proxies.length === 0)
    expect(await failureOf(askTls(port, 'own.example.org'))).to.match(/unrecognized.name/i)
    await thief.publish(own(await startOwn('heir'), { name: 'heir' }))
    expect((await askTls(port, 'own.example.org')).body).to.match(/^heir /)
  })

  it('belongs to one tenant by http and https together: no other tenant takes the visitors of either', async () => {
    const server = await serve({ redirect: true })
    const local = await startMirror()
    const web = (host: string) => ({ name: `web-${host.replaceAll(/[^a-z]/g, '-')}`, kind: 'http', local, host })
    const hosts = ['shop.test', '*.wild.test', 'deep.below.test']
    const client = await join(server, hosts.map(web))
    const refused: string[] = []
    server.on('refused', ({ error }) => refused.push(error.code))
    const thief = await join(server, [own(1, { name: 'theirs', host: 'theirs.test' })], {
      id: 'thief',
      token: otherToken
    })
    for (const host of ['shop.test', 'x.wild.test', '*.wild.test', '*.below.test', '*.test']) {
      expect(await thief.publish(own(1, { name: 'thief', host })), host).to.deep.equal([])
      expect(refused.splice(0), host).to.deep.equal(['proxy.claimed'])
      thief.unpublish('thief')
    }
    void client.publish(web('theirs.test'))
    await until(() => refused.length > 0)
    expect(refused[0]).to.equal('proxy.claimed')
    expect((await ask(Number(addressOf(client, 'web-shop-test').port), 'shop.test')).status).to.equal(200)
    // Its own it may have both ways.
    const [both] = await client.publish(own(await startOwn('own'), { name: 'both', host: 'shop.test' }))
    expect(both?.address).to.match(/^https:\/\/shop\.test:/)
  })

  it('is reset when the service is not there, without harm to other hosts', async () => {
    const server = await serve()
    const gone = net.createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const nowhere = (gone.address() as AddressInfo).port
    gone.close()
    const refused: string[] = []
    server.on('refused', ({ error }) => refused.push(error.code))
    const client = await join(server, [
      own(await startOwn('own')),
      own(nowhere, { name: 'gone', host: 'gone.example.org' })
    ])
    const port = Number(addressOf(client, 'own').port)
    expect(await failureOf(askTls(port, 'gone.example.org'))).to.equal('ECONNRESET')
    expect(refused).to.deep.equal(['stream.service-unreachable'])
    expect((await askTls(port, 'own.example.org')).body).to.match(/^own /)
  })

  it('may be a service within the process: a server of TLS, or a function that gets the visitors’ own TLS', async () => {
    const server = await serve()
    const client = await join(server, [])
    const own = https.createServer({ ...there }, (_, response) => response.end('own here'))
    const [web] = await client.expose({ kind: 'https', host: 'own.example.org', handler: own })
    const port = Number(new URL(web?.address ?? '').port)
    expect((await askTls(port, 'own.example.org')).body).to.equal('own here')
    const seen: number[] = []
    await client.expose({
      kind: 'https',
      host: 'raw.own.example.org',
      handler: (stream) => {
        stream.once('data', ([first]: Buffer) => {
          seen.push(first ?? 0)
          stream.end()
        })
      }
    })
    await failureOf(askTls(port, 'raw.own.example.org'))
    expect(seen, 'the first byte of a ClientHello').to.deep.equal([0x16])
  })

  it('is shared out among the members of a group', async () => {
    const server = await serve()
    const members = await Promise.all(
      ['one', 'two'].map(async (id) => join(server, [own(await startOwn(id), { name: id, group: 'web' })], { id }))
    )
    const port = Number(addressOf(members[0] as Client, 'one').port)
    const came = async () => (await askTls(port, 'own.example.org')).body.split(' ')[0]
    expect(new Set([await came(), await came(), await came(), await came()])).to.deep.equal(new Set(['one', 'two']))
    await members[0]?.stop({ drain: 0 })
    await until(() => server.proxies.length === 1)
    expect([await came(), await came()]).to.deep.equal(['two', 'two'])
  })
})

describe('https that ends at the server', () => {
  fixture()

  const published = async (options: Record<string, unknown> = {}, more: Partial<ServerOptions> = {}) => {
    const server = await serve({ certificates: [write(here)], ...options }, more)
    const client = await join(server, [
      {
        name: 'app',
        kind: 'http',
        local: await startMirror(),
        host: ['app.example.org', '*.apps.example.org', 'plain.example.org']
      },
      own(await startOwn('own'))
    ])
    const port = Number(addressOf(client, 'own').port)
    return { server, client, port, plainPort: Number(addressOf(client, 'app').port) }
  }

  it('brings requests to the kind http by HTTP/1.1 and HTTP/2, and tells the service of TLS', async () => {
    const { port } = await published()
    for (const host of ['app.example.org', 'x.apps.example.org']) {
      const { status, body, serial } = await askTls(port, host, { method: 'POST', path: '/a?b', body: 'some text' })
      expect(status).to.equal(200)
      expect(serial).to.equal(serialIn(here))
      const mirrored = JSON.parse(body) as Mirrored
      expect(mirrored).to.include({ method: 'POST', target: '/a?b', body: 'some text' })
      expect(mirrored.headers).to.include({ 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1', host })
    }
    const session = http2.connect(`https://app.example.org:${port}`, {
      ca: ca.cert,
      createConnection: () =>
        tls.connect({
          host: '127.0.0.1',
          port,
          servername: 'app.example.org',
          ca: ca.cert,
          ALPNProtocols: ['h2', 'http/1.1']
        })
    })
    later(() => session.destroy())
    const bodies = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const stream = session.request({ ':method': 'POST', ':path': `/${index}` })
        stream.end(`body ${index}`)
        const chunks: Buffer[] = []
        for await (const chunk of stream) chunks.push(chunk as Buffer)
        return JSON.parse(Buffer.concat(chunks).toString()) as Mirrored
      })
    )
    expect(bodies.map(({ target, body }) => `${target} ${body}`)).to.deep.equal(
      Array.from({ length: 20 }, (_, index) => `/${index} body ${index}`)
    )
    expect(session.alpnProtocol).to.equal('h2')
    expect(bodies[0]?.headers['x-forwarded-proto']).to.equal('https')
  })

  it('answers 421 where the request is for another host than the handshake', async () => {
    const { port } = await published()
    expect((await askTls(port, 'plain.example.org', { servername: 'app.example.org' })).status).to.equal(421)
    expect((await askTls(port, 'x.apps.example.org', { servername: 'app.example.org' })).status).to.equal(421)
    expect((await askTls(port, 'app.example.org')).status).to.equal(200)
    expect(await failureOf(askTls(port, 'plain.example.org'))).to.match(/unrecognized.name/i)
  })

  it('sends plain requests here, and says to keep to https', async () => {
    const { port, plainPort } = await published({ redirect: true, hsts: { maxAge: 60 } })
    const { status, headers } = await ask(plainPort, 'app.example.org', '/a?b')
    expect(status).to.equal(308)
    expect(headers.location).to.equal(`https://app.example.org:${port}/a?b`)
    expect(headers).to.not.have.property('strict-transport-security')
    expect((await ask(plainPort, 'plain.example.org')).status).to.equal(200)
    expect((await askTls(port, 'app.example.org')).headers['strict-transport-security']).to.equal('max-age=60')
  })

  it('redirects to https before it asks for a password', async () => {
    const server = await serve({ redirect: true, certificates: [{ ...write(here) }] })
    const local = await startMirror()
    const client = await join(server, [
      {
        name: 'app',
        kind: 'http',
        local,
        host: 'app.example.org',
        basicAuth: { user: 'ann', password: 'right' }
      }
    ])
    const plainPort = Number(addressOf(client, 'app').port)
    const { status, headers } = await ask(plainPort, 'app.example.org')
    expect([status, headers['www-authenticate']]).to.deep.equal([308, undefined])
    const there = Number(new URL(headers.location ?? '').port)
    expect((await askTls(there, 'app.example.org')).status).to.equal(401)
    expect((await askTls(there, 'app.example.org', { auth: 'ann:right' })).status).to.equal(200)
  })

  it('has a new certificate without losing a connection', async () => {
    const clock = new FakeClock(Date.now())
    const { port } = await published({}, { clock })
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    const kept = async (): Promise<string> => (await askTls(port, 'app.example.org', { agent })).serial
    expect(await kept()).to.equal(serialIn(here))
    write({ cert: renewed.cert.slice(0, 700), key: renewed.key })
    clock.advance(5000)
    expect((await askTls(port, 'app.example.org')).serial).to.equal(serialIn(here))
    write(renewed)
    const now = async (): Promise<string> => (await askTls(port, 'app.example.org')).serial
    while ((await now()) !== serialIn(renewed)) clock.advance(5000)
    expect(await kept(), 'on the connection that was there before').to.equal(serialIn(here))
  })

  it('stands a flood of handshakes, resets and garbage', async () => {
    const { port, server } = await published({ handshakes: 50 })
    const hello = await new Promise<Buffer>((resolve) => {
      const wire = net
        .createServer((socket) => {
          socket.on('error', () => {})
          later(() => socket.destroy())
          socket.once('data', resolve)
        })
        .listen(0, '127.0.0.1', () => {
          tls
            .connect({ port: (wire.address() as AddressInfo).port, servername: 'app.example.org' })
            .on('error', () => {})
        })
      later(() => wire.close())
    })
    const flood = Array.from({ length: 300 }, (_, index) => {
      const socket = net.connect({ host: '127.0.0.1', port })
      later(() => socket.destroy())
      const over = endOf(socket)
      if (index % 3 === 0) socket.write(hello)
      if (index % 3 === 1) socket.write(hello.subarray(0, 40), () => socket.resetAndDestroy())
      if (index % 3 === 2) socket.write('GARBAGE\r\n\r\n')
      return { over, socket }
    })
    await Promise.all(flood.filter((_, index) => index % 3 === 2).map(({ over }) => over))
    const answers = await Promise.all([askTls(port, 'app.example.org'), askTls(port, 'own.example.org')])
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200])
    expect(server.sessions).to.have.length(1)
  })
})

describe('the port of https', () => {
  fixture()

  it('stays open when the options change, and connections go on', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    taken.close()
    await once(taken, 'close')
    const listen = [{ host: '127.0.0.1', port }]
    const server = await serve({ listen })
    const client = await join(server, [
      { name: 'app', kind: 'http', local: await startMirror(), host: 'app.example.org' },
      own(await startOwn('own'))
    ])
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    expect((await askTls(port, 'own.example.org', { agent })).status).to.equal(200)
    expect(await failureOf(askTls(port, 'app.example.org'))).to.match(/unrecognized.name/i)
    await server.reload(serverConfig({}, extensions({ listen, certificates: [write(here)] })))
    expect((await askTls(port, 'own.example.org', { agent })).status, 'a connection from before').to.equal(200)
    while ((await failureOf(askTls(port, 'own.example.org'))) !== 'none')
      await new Promise((resolve) => setImmediate(resolve))
    expect((await askTls(port, 'app.example.org')).status).to.equal(200)
    expect(client.proxies).to.have.length(2)
  })

  it('may be that of the tunnel as well', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    taken.close()
    await once(taken, 'close')
    const at = { host: '127.0.0.1', port }
    const { cert, key } = write(here)
    await startServer(
      { listen: [{ transport: 'tls', ...at, cert, key }] },
      extensions({ listen: [at], certificates: [{ cert, key }] }),
      { preset, dir }
    )
    writeFileSync(path.join(dir, 'ca.crt'), ca.cert)
    const connect = { transport: 'tls', ...at, ca: 'ca.crt', serverName: 'app.example.org', muxer: 'yamux' }
    await startClient(
      port,
      [{ name: 'app', kind: 'http', local: await startMirror(), host: 'app.example.org' }, own(await startOwn('own'))],
      { connect },
      [],
      { preset, dir }
    )
    expect((await askTls(port, 'app.example.org')).status).to.equal(200)
    expect((await askTls(port, 'own.example.org')).body).to.match(/^own /)
    expect(await failureOf(askTls(port, 'other.example.org'))).to.match(/alert/i)
  })
})
