import http from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { issueServer, makeAuthority } from '@rystra/certificates'
import { isRystraError } from '@rystra/plugin'
import transportWs from '@rystra/transport-ws'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  later,
  makeClient,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

const dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-ws-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const save = (name: string, text: string): string => {
  const file = path.join(dir, name)
  writeFileSync(file, text)
  return file
}

const authority = await makeAuthority({ keyType: 'ec', commonName: 'An authority' })
const pair = await issueServer(authority, { keyType: 'ec', commonName: 'localhost', names: ['127.0.0.1'] })
const served = { cert: save('server.pem', pair.cert), key: save('server.key', pair.key) }
const trusted = { ca: save('ca.pem', authority.cert) }

const listenOn = (transport: string, options = {}) => ({
  listen: [{ transport, host: '127.0.0.1', port: 0, ...(transport === 'wss' ? served : {}), ...options }]
})
const to = (transport: string, port: number, muxer: string, options = {}) => ({
  connect: {
    transport,
    host: '127.0.0.1',
    port,
    muxer,
    proxy: 'none',
    ...(transport === 'wss' ? trusted : {}),
    ...options
  }
})

/** A reverse proxy at which TLS ends: bytes go on to another port as they are. */
const terminate = async (port: number): Promise<number> => {
  const proxy = tls.createServer({ ...pair, ALPNProtocols: ['http/1.1'] }, (front) => {
    const behind = net.connect(port, '127.0.0.1')
    later(() => {
      behind.destroy()
      front.destroy()
    })
    front.on('error', () => behind.destroy())
    behind.on('error', () => front.destroy())
    front.pipe(behind)
    behind.pipe(front)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  later(() => proxy.close())
  return (proxy.address() as net.AddressInfo).port
}

/** Megabytes there and back, an end each way. */
const throughAndBack = async (port: number): Promise<void> => {
  const visitor = await visit(port)
  const sent = Buffer.alloc(2_000_000, 'there and back ')
  const all = readAll(visitor)
  visitor.end(sent)
  expect((await all).equals(sent)).to.equal(true)
}

describe('a tunnel over WebSocket', () => {
  afterEach(cleanUp)

  for (const transport of ['ws', 'wss']) {
    for (const muxer of ['yamux', 'direct']) {
      it(`carries streams: ${transport}, ${muxer}`, async () => {
        const server = await startServer(listenOn(transport), [transportWs()])
        const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
        const port = portOf(server)
        const client = await startClient(port, proxies, to(transport, port, muxer), [transportWs()])
        expect(client.session).to.include({ transport, muxer })
        await Promise.all(Array.from({ length: 5 }, () => throughAndBack(visitorPort(client, 'svc'))))
      })
    }
  }

  for (const muxer of ['yamux', 'direct']) {
    it(`goes through a reverse proxy at which TLS ends: ${muxer}`, async () => {
      const server = await startServer(listenOn('ws'), [transportWs()])
      const front = await terminate(portOf(server))
      const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
      const options = to('wss', front, muxer, { tlsTerminated: true })
      const client = await startClient(front, proxies, options, [transportWs()])
      await throughAndBack(visitorPort(client, 'svc'))
    })
  }

  it('tells a client that does not know of such a proxy', async () => {
    const server = await startServer(listenOn('ws'), [transportWs()])
    const front = await terminate(portOf(server))
    const client = await makeClient(front, [], to('wss', front, 'yamux'), [transportWs()])
    const error = await client.start().then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code).to.equal('tls.terminated')
  })

  it('shares its port with a web application', async () => {
    const app = http.createServer((_request, response) => response.end('the application'))
    app.listen(0, '127.0.0.1')
    await once(app, 'listening')
    later(() => app.close())
    const fallback = `127.0.0.1:${(app.address() as net.AddressInfo).port}`
    const server = await startServer(listenOn('wss', { fallback, path: '/tunnel' }), [transportWs()])
    const port = portOf(server)
    const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
    const options = to('wss', port, 'yamux', { path: '/tunnel' })
    const client = await startClient(port, proxies, options, [transportWs()])
    const visitor = tls.connect({ host: '127.0.0.1', port, ca: authority.cert })
    later(() => visitor.destroy())
    visitor.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(String(await readAll(visitor))).to.match(/^HTTP\/1\.1 200 OK[\s\S]*the application/)
    await throughAndBack(visitorPort(client, 'svc'))
  })
})
