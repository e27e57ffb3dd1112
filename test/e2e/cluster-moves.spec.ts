import type { RystraConfig } from '@rystra/config'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import proxyPrivate from '@rystra/proxy-private'
import proxyUdp from '@rystra/proxy-udp'
import type { DirectoryClaim } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { askAt, ClusterWorld } from './cluster-world.js'
import { ask as askHttp } from './http-world.js'
import {
  ask,
  cleanUp,
  freePort,
  later,
  makeClient,
  portOf,
  preset,
  readAll,
  startClient,
  startService,
  until,
  visit
} from './tunnel.js'

const B = '127.0.0.2'
const HOST = 'app.example.org'
const kinds = [...preset, proxyHttp, proxyHttps, proxyPrivate, proxyUdp]

/** A service that answers its name, once it has heard something. */
const named = (name: string): Promise<number> => startService((socket) => socket.once('data', () => socket.end(name)))

const namedHttp = (name: string): Promise<number> =>
  startService((socket) => {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\nConnection: close\r\n\r\n${name}`
    socket.once('data', () => socket.end(answer))
  })

const namedUdp = async (name: string): Promise<number> => {
  const service = dgram.createSocket('udp4')
  service.on('message', (_, { port, address }) => service.send(name, port, address))
  service.bind(0, '127.0.0.1')
  await once(service, 'listening')
  later(() => service.close())
  return service.address().port
}

/** The first bytes of a TLS client that asks for a host. */
const clientHello = async (servername: string): Promise<Buffer> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const client = tls.connect({ host: '127.0.0.1', port, servername }).on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  server.close()
  return bytes
}

/** A kind of proxy: how it is published and how it is visited at server b. */
interface Kind {
  /** @param port That of the listener of web kinds */
  extensions(host: string, port: number): NonNullable<RystraConfig['extensions']>
  proxy(local: number, port: number): Parameters<typeof startClient>[1][number]
  readonly serve?: (name: string) => Promise<number>
  /** What prepares visits: answers with how one is made. */
  visits(b: Server, port: number): Promise<() => Promise<string | undefined>>
}

const bytesAt = async (port: number, bytes: Buffer): Promise<string | undefined> => {
  try {
    const socket = await visit(port, B)
    const answer = readAll(socket)
    socket.write(bytes)
    return (await answer).toString()
  } catch {
    return undefined
  }
}

const kindsOf: Readonly<Record<string, Kind>> = {
  tcp: {
    extensions: () => [],
    proxy: (local, port) => ({ name: 'x', kind: 'tcp', local, port }),
    visits: async (_, port) => () => askAt(B, port, 'hello')
  },
  http: {
    extensions: (host, port) => [proxyHttp({ listen: [{ host, port }] })],
    proxy: (local) => ({ name: 'x', kind: 'http', local, host: HOST }),
    serve: namedHttp,
    visits: async (_, port) => async () => {
      const { status, body } = await askHttp(port, HOST, '/', { host: B, method: 'POST' })
      return status === 200 ? body : undefined
    }
  },
  'https that passes through': {
    extensions: (host, port) => [proxyHttps({ listen: [{ host, port }] })],
    proxy: (local) => ({ name: 'x', kind: 'https', local, host: HOST }),
    visits: async (_, port) => {
      const hello = await clientHello(HOST)
      return () => bytesAt(port, hello)
    }
  },
  private: {
    extensions: () => [proxyPrivate],
    proxy: (local) => ({ name: 'x', kind: 'private', local, secret: 'a-secret-of-the-two-clients' }),
    visits: async (b) => {
      const forwards = [{ name: 'x', kind: 'private', of: 'x', secret: 'a-secret-of-the-two-clients', bind: 0 }]
      const visitor = await startClient(portOf(b), [], { id: 'visitor', forwards }, [], { preset: kinds })
      const port = Number(visitor.forwards[0]?.address.split(':').at(-1))
      return () => ask(port, 'hello').catch(() => undefined)
    }
  }
}

describe('visitors of a client that has moved to another server', () => {
  afterEach(cleanUp)

  /** @param lease Milliseconds, for which visitors wait as well */
  const three = async ({ extensions, proxy, serve = named, visits }: Kind, lease = 60_000) => {
    const world = await ClusterWorld.open()
    const gate = world.gate('b')
    const port = await freePort()
    const start = (name: string, number: number): Promise<Server> =>
      world.start(name, { cluster: { lease }, extensions: extensions(`127.0.0.${number}`, port) })
    const [a, b, c] = [await start('a', 1), await start('b', 2), await start('c', 3)]
    const publish = async (server: Server, name: string): Promise<unknown> =>
      startClient(portOf(server), [proxy(await serve(name), port)], {}, [], { preset: kinds })
    const from = await visits(b, port)
    await publish(a, 'one')
    await until(async () => (await from()) === 'one', 'an answer by way of the first server')
    return { a, b, c, gate, publish, visitOnce: from }
  }

  for (const [name, kind] of Object.entries(kindsOf)) {
    it(`${name}: are served where it is now, when its former server refuses them`, async () => {
      const { b, c, gate, publish, visitOnce } = await three(kind)
      gate.hold()
      await publish(c, 'two')
      const refused = once(b, 'refused')
      const answer = visitOnce()
      expect((await refused)[0].error.code).to.equal('cluster.not-here')
      gate.release()
      expect(await answer).to.equal('two')
    })

    it(`${name}: are served where it is now, when its former server is gone`, async () => {
      const { a, b, c, gate, publish, visitOnce } = await three(kind)
      gate.hold()
      await a.stop({ drain: 0 })
      const refused = once(b, 'refused')
      const answer = visitOnce()
      await refused
      await publish(c, 'two')
      gate.release()
      expect(await answer).to.equal('two')
    })

    it(`${name}: are served by this server, when the client has come to it`, async () => {
      const { a, b, gate, publish, visitOnce } = await three(kind)
      gate.hold()
      await a.stop({ drain: 0 })
      const refused = once(b, 'refused')
      const answer = visitOnce()
      await refused
      await publish(b, 'two')
      expect(await answer).to.equal('two')
    })
  }

  it('tcp: are served while the server of the client still waits for the directory to say that it is listed', async () => {
    const world = await ClusterWorld.open()
    let answered = (): void => {}
    const waits = new Promise<void>((resolve) => {
      answered = resolve
    })
    const open = world.directory.open.bind(world.directory)
    world.directory.open = (options) => {
      const session = open(options)
      const claim = session.claim.bind(session)
      return Object.assign(session, {
        claim: async (row: DirectoryClaim) => {
          const grant = await claim(row)
          if (row.key.startsWith('proxy ')) await waits
          return grant
        }
      })
    }
    const [a, b] = [await world.start('a'), await world.start('b')]
    const port = await freePort()
    const proxy = { name: 'x', kind: 'tcp', local: await named('one'), port }
    const client = await makeClient(portOf(a), [proxy])
    const started = client.start()
    await until(() => [...(b.runtime.cluster?.proxies() ?? [])].length === 1, 'the proxy to be published at b')
    expect(await askAt(B, port, 'hello')).to.equal('one')
    answered()
    await started
  })

  it('udp: are served where it is now, by what they send again', async () => {
    const world = await ClusterWorld.open()
    const gate = world.gate('b')
    const start = (name: string): Promise<Server> => world.start(name, { extensions: [proxyUdp] })
    const [a, , c] = [await start('a'), await start('b'), await start('c')]
    const port = await freePort()
    const publish = async (server: Server, name: string): Promise<unknown> =>
      startClient(portOf(server), [{ name: 'u', kind: 'udp', local: await namedUdp(name), port }], {}, [], {
        preset: kinds
      })
    const visitor = dgram.createSocket('udp4')
    later(() => visitor.close())
    let last = ''
    visitor.on('message', (message) => {
      last = String(message)
    })
    const answered = (name: string): Promise<void> =>
      until(() => {
        visitor.send('x', port, B)
        return last === name
      }, `an answer of ${name}`)
    await publish(a, 'one')
    await answered('one')
    gate.hold()
    await publish(c, 'two')
    visitor.send('x', port, B)
    gate.release()
    await answered('two')
  })

  it('are refused when it comes back nowhere within the lease', async () => {
    const { a, b, gate, visitOnce } = await three(kindsOf['tcp'] as Kind, 300)
    gate.hold()
    await a.stop({ drain: 0 })
    const refused = once(b, 'refused')
    const answer = visitOnce()
    await refused
    expect(await answer).to.equal(undefined)
  })
})
