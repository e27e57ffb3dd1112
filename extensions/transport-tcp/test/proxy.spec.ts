import { until } from '@rystra/testkit'
import { SharedPorts } from '@rystra/net'
import { isRystraError, type Link, type Transport } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import transportTcp from '../src/index.js'

const transport = ((): Transport => {
  const added: Transport[] = []
  const registries = { transports: { add: (it: Transport) => added.push(it) } }
  transportTcp.definition.setup({ registries, options: { keepAlive: 15_000, backlog: 511 } } as never)
  return added[0] as Transport
})()

const never = new AbortController().signal
const ends: (() => unknown)[] = []

const socketOf = (link: Link): net.Socket => {
  if (link.kind !== 'bytes') throw new Error('not a link of bytes')
  const socket = link.duplex as net.Socket
  socket.on('error', () => {})
  ends.push(() => socket.destroy())
  return socket
}

/** A proxy that connects every peer to one port of loopback. */
const proxyTo = async (port: number): Promise<{ port: number; targets: (string | undefined)[] }> => {
  const targets: (string | undefined)[] = []
  const server = http.createServer()
  server.on('connect', (request, near: net.Socket) => {
    targets.push(request.url)
    const far = net.connect({ port, host: '127.0.0.1' })
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.write('HTTP/1.1 200 OK\r\n\r\n')
    near.pipe(far)
    far.pipe(near)
    ends.push(() => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return { port: (server.address() as net.AddressInfo).port, targets }
}

describe('links over TCP, in company', () => {
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  it('go through a proxy, which knows the name', async () => {
    const links: net.Socket[] = []
    const onLink = (link: Link): void => void links.push(socketOf(link))
    const entry = { transport: 'tcp', host: '127.0.0.1', port: 0 }
    const listener = await transport.listen(entry, onLink, never, new SharedPorts())
    ends.push(() => listener.close())
    const proxy = await proxyTo(listener.address.port)
    const to = { transport: 'tcp', host: 'server.invalid', port: 7000, proxy: `http://127.0.0.1:${proxy.port}` }
    const near = socketOf(await transport.dial(to, never))
    expect(near.constructor).to.equal(net.Socket)
    near.write('hello')
    await until(() => links.length > 0)
    const [chunk] = (await once(links[0] as net.Socket, 'data')) as [Buffer]
    expect([String(chunk), proxy.targets]).to.deep.equal(['hello', ['server.invalid:7000']])
  })

  it('say that the proxy is not there', async () => {
    const to = { transport: 'tcp', host: 'server.invalid', port: 7000, proxy: 'http://127.0.0.1:1' }
    const error = await transport.dial(to, never).catch((thrown: unknown) => thrown)
    expect(isRystraError(error) && error.code).to.equal('connect.proxy')
  })

  it('are those that begin like Rystra, where others listen too', async () => {
    const ports = new SharedPorts()
    const links: net.Socket[] = []
    const others: net.Socket[] = []
    const onLink = (link: Link): void => void links.push(socketOf(link))
    const other = await ports.listenTcp(
      { host: '127.0.0.1', port: 0, recognises: () => true, onSocket: (socket) => void others.push(socket) },
      never
    )
    const { port } = other.address
    const listener = await transport.listen({ transport: 'tcp', host: '127.0.0.1', port }, onLink, never, ports)
    ends.push(() => Promise.all([listener.close(), other.close()]))
    for (const begin of ['RYS\u0001', 'RYX', 'GET /']) {
      const socket = net.connect({ port, host: '127.0.0.1' })
      ends.push(() => socket.destroy())
      for (const byte of begin) socket.write(byte)
      const before = links.length + others.length
      await until(() => links.length + others.length > before)
    }
    for (const socket of others) ends.push(() => socket.destroy())
    expect([links.length, others.length]).to.deep.equal([1, 2])
    const [first] = links
    expect(String(first?.read() ?? (await once(first as net.Socket, 'data'))[0])).to.match(/^RYS/)
  })
})
