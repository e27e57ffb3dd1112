import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'
import { ask, frontPort, sendRaw, startRawService, statusesOf } from './http-world.js'
import { cleanUp, endOf, later, portOf, preset as plain, readAll, startClient, startServer, visit } from './tunnel.js'

const preset = [...plain, proxyHttp, proxyHttps]
const listen = [{ host: '127.0.0.1', port: 0 }]

const tunnel = async (entry: Record<string, unknown>, options: Record<string, unknown> = {}): Promise<Client> => {
  const server = await startServer({}, [proxyHttp({ listen, ...options }), proxyHttps({ listen })], { preset })
  return startClient(portOf(server), [{ name: 'app', ...entry } as ProxyEntry], {}, [], { preset })
}

interface Header {
  readonly from: number
  readonly to: number
  /** Bytes of it. */
  readonly size: number
}

/** Reads a PROXY header of either version for IPv4 of this machine; throws for anything else. */
const headerIn = (bytes: Buffer): Header => {
  const [, from, to] = /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 (\d+) (\d+)\r\n/.exec(bytes.toString('latin1')) ?? []
  if (from !== undefined) return { from: Number(from), to: Number(to), size: bytes.indexOf('\n') + 1 }
  expect(bytes.subarray(0, 24).toString('hex')).to.equal('0d0a0d0a000d0a515549540a2111000c7f0000017f000001')
  return { from: bytes.readUInt16BE(24), to: bytes.readUInt16BE(26), size: 28 }
}

/** A service of HTTP behind a PROXY header: says who came by which connection, and counts its requests. */
const startBehind = async (): Promise<{ port: number; connections: () => number }> => {
  let connections = 0
  const server = http.createServer((request, response) => {
    const { from, to, at } = request.socket as Socket & { from: number; to: number; at: number }
    response.end(JSON.stringify({ from, to, at, forwarded: request.headers['x-forwarded-for'] }))
  })
  const port = await startRawService((socket) => {
    connections += 1
    const at = connections
    socket.once('readable', () => {
      const bytes = socket.read() as Buffer
      const { from, to, size } = headerIn(bytes)
      Object.assign(socket, { from, to, at })
      socket.unshift(bytes.subarray(size))
      server.emit('connection', socket)
    })
  })
  return { port, connections: () => connections }
}

describe('the PROXY header of http', () => {
  afterEach(cleanUp)

  for (const proxyProtocol of ['v1', 'v2'] as const) {
    it(`${proxyProtocol} says who visits, and no connection is shared by two visitors`, async () => {
      const { port: local, connections } = await startBehind()
      const port = frontPort(await tunnel({ kind: 'http', local, proxyProtocol }))
      const agents = [1, 2].map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }))
      for (const agent of agents) later(() => agent.destroy())
      const ports: number[] = []
      for (const agent of [...agents, ...agents, ...agents]) {
        const used = once(agent, 'free') as Promise<[Socket]>
        const { body } = await ask(port, 'app.localhost', '/', { agent })
        const [socket] = await used
        const { from, to } = JSON.parse(body) as { from: number; to: number }
        expect([from, to]).to.deep.equal([socket.localPort, port])
        ports.push(from)
      }
      expect(new Set(ports).size).to.equal(2)
      expect(connections(), 'each visitor uses its own again').to.equal(2)
    })
  }

  it('is not for visitors to send: what is no HTTP is refused, and what a proxy in front says is no header', async () => {
    const { port: local, connections } = await startBehind()
    const port = frontPort(await tunnel({ kind: 'http', local, proxyProtocol: 'v1' }))
    const request = 'GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n'
    expect(statusesOf(await sendRaw(port, `PROXY TCP4 10.6.6.6 10.6.6.6 1 2\r\n${request}`))).to.deep.equal([400])
    const v2 = Buffer.from('0d0a0d0a000d0a515549540a2111000c0a0606060a06060600010002', 'hex')
    expect(statusesOf(await sendRaw(port, Buffer.concat([v2, Buffer.from(request)])))).to.deep.equal([400])
    expect(connections()).to.equal(0)
    const { body } = await ask(port, 'app.localhost', '/', { headers: { 'X-Forwarded-For': '10.6.6.6' } })
    expect(JSON.parse(body)).to.deep.include({ forwarded: '127.0.0.1' })
  })
})

/** A service that keeps what a connection begins with. */
const startSeen = async (): Promise<{ port: number; seen: Buffer[] }> => {
  const seen: Buffer[] = []
  const port = await startRawService((socket) => {
    socket.once('data', (chunk) => {
      seen.push(chunk)
      socket.end('seen')
    })
  })
  return { port, seen }
}

const hello = async (): Promise<Buffer> => {
  const sink = net.createServer().listen(0, '127.0.0.1')
  await once(sink, 'listening')
  const asking = tls.connect({
    host: '127.0.0.1',
    port: (sink.address() as AddressInfo).port,
    servername: 'app.localhost'
  })
  asking.on('error', () => {})
  const [socket] = (await once(sink, 'connection')) as [Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  asking.destroy()
  sink.close()
  return bytes
}

describe('the PROXY header of https', () => {
  afterEach(cleanUp)
  const portIn = (client: Client): number => Number(new URL(client.proxies[0]?.address ?? '').port)

  for (const proxyProtocol of ['v1', 'v2'] as const) {
    it(`${proxyProtocol} says who visits, in front of the visitor’s own TLS`, async () => {
      const { port: local, seen } = await startSeen()
      const port = portIn(await tunnel({ kind: 'https', local, proxyProtocol }))
      const bytes = await hello()
      const visitor = await visit(port)
      const from = visitor.localPort
      visitor.write(bytes)
      expect(String(await readAll(visitor))).to.equal('seen')
      const [came] = seen
      if (came === undefined) throw new Error('nothing came')
      const header = headerIn(came)
      expect([header.from, header.to]).to.deep.equal([from, port])
      expect(came.subarray(header.size)).to.deep.equal(bytes)
    })
  }

  it('is not for visitors to send', async () => {
    const { port: local, seen } = await startSeen()
    const port = portIn(await tunnel({ kind: 'https', local, proxyProtocol: 'v1' }))
    for (const spoofed of [
      Buffer.from('PROXY TCP4 10.6.6.6 10.6.6.6 1 2\r\n'),
      Buffer.from('0d0a0d0a000d0a515549540a2111000c0a0606060a06060600010002', 'hex')
    ]) {
      const visitor = await visit(port)
      visitor.write(Buffer.concat([spoofed, await hello()]))
      await endOf(visitor)
    }
    expect(seen).to.deep.equal([])
  })
})
