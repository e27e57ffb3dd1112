import proxyHttp from '@rystra/proxy-http'
import proxyPrivate from '@rystra/proxy-private'
import proxyUdp from '@rystra/proxy-udp'
import type { Server } from '@rystra/server'
import { settled } from '@rystra/testkit'
import { expect } from 'chai'
import { defineExtension } from '@rystra/plugin'
import { createHash, randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { askAt, ClusterWorld } from './cluster-world.js'
import { startHttpService } from './http-world.js'
import {
  ask,
  cleanUp,
  echo,
  endOf,
  freePort,
  later,
  portOf,
  preset,
  readAll,
  startClient,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const B = '127.0.0.2'

describe('a stream that goes from server to server', () => {
  afterEach(cleanUp)

  const start = async (
    serve: (socket: net.Socket) => unknown,
    fields: object = {}
  ): Promise<{ port: number; a: Server; b: Server }> => {
    const world = await ClusterWorld.open()
    const [a, b] = [await world.start('a'), await world.start('b')]
    const local = await startService(serve)
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local, ...fields }])
    const port = visitorPort(client, 'x')
    await until(async () => {
      try {
        ;(await visit(port, B)).destroy()
        return true
      } catch {
        return false
      }
    }, 'the port at the other server')
    return { port, a, b }
  }

  it('keeps half-close: the answer comes after the end of the request', async () => {
    const { port } = await start(async (socket) => {
      const request = await readAll(socket).catch(() => Buffer.alloc(0))
      socket.end(`${request} was heard`)
    })
    await until(async () => (await askAt(B, port, 'all of it')) === 'all of it was heard', 'the answer')
  })

  it('passes a reset of the service on to the visitor, and one of the visitor on to the service', async () => {
    const ends: Promise<string>[] = []
    const { port } = await start((socket) => {
      socket.once('data', (chunk) => {
        if (String(chunk) === 'reset me') return socket.resetAndDestroy()
        ends.push(endOf(socket))
        return socket.write('ok')
      })
    })
    const first = await visit(port, B)
    first.write('reset me')
    expect(await endOf(first)).to.equal('ECONNRESET')
    const second = await visit(port, B)
    second.write('hello')
    await once(second, 'data')
    second.resetAndDestroy()
    expect(await ends[0]).to.equal('ECONNRESET')
  })

  it('holds a visitor back whose service does not read, and loses no byte', async () => {
    const sockets: net.Socket[] = []
    const hash = createHash('sha256')
    const { port } = await start((socket) => {
      sockets.push(socket)
      socket.pause()
    })
    const before = sockets.length
    const visitor = await visit(port, B)
    const block = randomBytes(1024 * 1024)
    const sent = createHash('sha256')
    const blocks = 32
    for (let index = 0; index < blocks; index += 1) {
      visitor.write(block)
      sent.update(block)
    }
    visitor.end()
    await until(() => sockets.length > before, 'the stream to reach the service')
    const left = (): number => visitor.writableLength
    expect(await settled(left), 'bytes that wait at the visitor').to.be.greaterThan(8 * 1024 * 1024)
    const service = sockets.at(-1) as net.Socket
    let bytes = 0
    service.on('data', (chunk) => {
      bytes += chunk.length
      hash.update(chunk)
    })
    service.resume()
    await once(service, 'end')
    expect([bytes, hash.digest('hex')]).to.deep.equal([blocks * block.length, sent.digest('hex')])
  })

  it('keeps the limit of its proxy, over all servers', async () => {
    const { port, a } = await start(echo, { maxConnections: 2 })
    const open = async (host: string): Promise<net.Socket> => {
      const socket = await visit(port, host)
      socket.write('x')
      await once(socket, 'data')
      return socket
    }
    await until(async () => (await askAt(B, port, 'x')) === 'x' && a.streams === 0, 'the visits before to end')
    await open('127.0.0.1')
    await open(B)
    const third = await visit(port, B)
    third.write('x')
    expect(await endOf(third)).to.equal('ECONNRESET')
    expect(a.streams).to.equal(2)
  })

  it('asks hooks once, at the server at which the visitor came in, with its address', async () => {
    const seen: string[] = []
    const world = await ClusterWorld.open()
    const watch = (name: string) => ({
      extensions: [
        defineExtension({
          name: 'watch',
          setup: ({ hooks }) => {
            hooks.onOpenStream.tap(({ visitor, session }) => {
              seen.push(`${name} open ${visitor.host} ${session.client.id}`)
            })
            hooks.onCloseStream.tap(({ bytesToService }) => void seen.push(`${name} close ${bytesToService}`))
          }
        })
      ]
    })
    const a = await world.start('a', watch('a'))
    await world.start('b', watch('b'))
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    const port = visitorPort(client, 'x')
    await until(async () => (await askAt(B, port, 'hello')) === 'hello', 'an answer')
    await until(() => seen.length === 2, 'the end of the stream')
    expect(seen).to.deep.equal(['b open 127.0.0.1 test', 'b close 5'])
  })
})

describe('kinds of proxies over several servers', () => {
  afterEach(cleanUp)

  it('http: by host, with keep-alive and the address of the visitor', async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    const [a] = await Promise.all(
      ['127.0.0.1', B].map((host, index) =>
        world.start(index === 0 ? 'a' : 'b', { extensions: [proxyHttp({ listen: [{ host, port }] })] })
      )
    )
    const { port: local } = await startHttpService((request, response) =>
      response.end(`${request.headers['x-forwarded-for']} ${request.url}`)
    )
    const proxies = [{ name: 'web', kind: 'http', local, host: 'app.example.org' }]
    await startClient(portOf(a as Server), proxies, {}, [], { preset: [...preset, proxyHttp] })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    const get = async (path: string): Promise<string> => {
      const request = http.get({ host: B, port, path, agent, headers: { host: 'app.example.org' } })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks).toString()
    }
    await until(async () => (await get('/one')) === '127.0.0.1 /one', 'an answer')
    expect(await get('/two')).to.equal('127.0.0.1 /two')
  })

  it('private: a client of one server visits a service of a client of another', async () => {
    const world = await ClusterWorld.open()
    const extensions = [proxyPrivate]
    const a = await world.start('a', { extensions })
    const b = await world.start('b', { extensions })
    const secret = 'a-secret-of-the-two-clients'
    const options = { preset: [...preset, proxyPrivate] }
    const local = await startService(echo)
    await startClient(portOf(a), [{ name: 'db', kind: 'private', local, secret }], { id: 'owner' }, [], options)
    const forwards = [{ name: 'db', kind: 'private', of: 'db', secret, bind: 0 }]
    const visitor = await startClient(portOf(b), [], { id: 'visitor', forwards }, [], options)
    const port = Number(visitor.forwards[0]?.address.split(':').at(-1))
    await until(async () => (await ask(port, 'hello').catch(() => '')) === 'hello', 'an answer')
  })

  it('udp: at each server', async () => {
    const world = await ClusterWorld.open()
    const extensions = [proxyUdp]
    const a = await world.start('a', { extensions })
    await world.start('b', { extensions })
    const service = dgram.createSocket('udp4')
    service.on('message', (message, { port, address }) => service.send(`echo ${message}`, port, address))
    service.bind(0, '127.0.0.1')
    await once(service, 'listening')
    later(() => service.close())
    const options = { preset: [...preset, proxyUdp] }
    const client = await startClient(
      portOf(a),
      [{ name: 'u', kind: 'udp', local: service.address().port }],
      {},
      [],
      options
    )
    const port = visitorPort(client, 'u')
    const visitor = dgram.createSocket('udp4')
    later(() => visitor.close())
    const answers = new Set<string>()
    visitor.on('message', (message, { address }) => answers.add(`${address} ${message}`))
    await until(() => {
      // Datagrams may be lost: again in each turn.
      for (const host of ['127.0.0.1', B]) visitor.send('x', port, host)
      return answers.size === 2
    }, 'answers of both servers')
    expect([...answers].sort()).to.deep.equal(['127.0.0.1 echo x', `${B} echo x`])
  })
})
