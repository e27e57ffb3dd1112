import type { ServerOptions } from '@rystra/server'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { ask, type Mirrored } from './http-world.js'
import { endOf, later, serverConfig, startClient, startServer } from './tunnel.js'
import {
  preset,
  ca,
  here,
  renewed,
  dir,
  write,
  extensions,
  serve,
  join,
  addressOf,
  startOwn,
  askTls,
  failureOf,
  serialIn,
  own,
  startMirror,
  fixture
} from './https-world.js'

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
