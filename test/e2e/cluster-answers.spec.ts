import type { Client } from '@rystra/client'
import { defineExtension, type OpenStreamContext, silentLog } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import type { Server } from '@rystra/server'
import { sessionInfo } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { askAt, ClusterWorld } from './cluster-world.js'
import { ask as askHttp, startHttpService } from './http-world.js'
import {
  cleanUp,
  echo,
  endOf,
  freePort,
  later,
  portOf,
  preset,
  startClient,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const [A, B] = ['127.0.0.1', '127.0.0.2']
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('what a visitor of another server is answered', () => {
  afterEach(cleanUp)

  it('a refusal of the client, the service or a limit: the code is that of one server', async () => {
    const world = await ClusterWorld.open()
    const [a, b] = [await world.start('a'), await world.start('b')]
    const codes: Record<string, string[]> = { a: [], b: [] }
    for (const [name, server] of Object.entries({ a, b }))
      server.on(
        'refused',
        ({ what, error }) => what === 'stream' && codes[name]?.push(`${error.code} ${error.message}`)
      )
    const closed = await freePort()
    const deny = defineExtension({
      name: 'deny',
      setup: ({ hooks }) =>
        hooks.onOpenStream.tap(({ proxy }) => (proxy.name === 'denied' ? { deny: 'on Sundays' } : undefined))
    })
    const client = await startClient(
      portOf(a),
      [
        { name: 'down', kind: 'tcp', local: closed },
        { name: 'denied', kind: 'tcp', local: closed },
        { name: 'full', kind: 'tcp', local: await startService(echo), maxConnections: 1 }
      ],
      {},
      [deny]
    )
    await until(async () => (await askAt(B, visitorPort(client, 'full'), 'x')) === 'x', 'the proxies at b')
    await until(() => a.streams === 0)
    const held = await visit(visitorPort(client, 'full'), A)
    held.write('x')
    await once(held, 'data')
    const refusal = async (name: string, host: string): Promise<void> => {
      const visitor = net.connect({ host, port: visitorPort(client, name) })
      later(() => visitor.destroy())
      visitor.write('x')
      await endOf(visitor)
    }
    for (const [index, name] of ['down', 'denied', 'full'].entries()) {
      await refusal(name, A)
      await until(() => codes['a']?.length === index * 2 + 1, `a to refuse ${name}`)
      await refusal(name, B)
      await until(() => codes['b']?.length === index + 1, `b to refuse ${name}`)
      // The owner counts the one that came in at b as well.
      await until(() => codes['a']?.length === index * 2 + 2)
    }
    const [first, second, third] = codes['b'] ?? []
    expect(first).to.match(/^stream\.service-unreachable /)
    expect(second).to.match(/^stream\.refused .*on Sundays/)
    expect(third).to.match(/^stream\.limit /)
    const code = (text = ''): string => text.slice(0, text.indexOf(' '))
    expect(codes['a']?.map(code)).to.deep.equal([first, first, second, second, third, third].map(code))
  })

  it('over http: the status is that of one server, and the client is shown the request', async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    const start = (name: string, host: string): Promise<Server> =>
      world.start(name, { extensions: [proxyHttp({ listen: [{ host, port }] })] })
    const [a] = [await start('a', A), await start('b', B)]
    const { port: local } = await startHttpService((request, response) => response.end(`hello ${request.url}`))
    const proxies = [
      { name: 'up', kind: 'http', local, host: 'up.example.org' },
      { name: 'down', kind: 'http', local: await freePort(), host: 'down.example.org' }
    ]
    const client: Client = await startClient(portOf(a), proxies, {}, [], { preset: [...preset, proxyHttp] })
    const notices: unknown[] = []
    client.on('notice', ({ notice }) => notices.push([notice['path'], notice['status']]))
    const get = async (host: string, name: string, path: string): Promise<number | undefined> => {
      const request = http.get({ host, port, path, agent: false, headers: { host: `${name}.example.org` } })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      response.resume()
      await once(response, 'end')
      return response.statusCode
    }
    await until(async () => (await get(B, 'up', '/first')) === 200, 'an answer at b')
    expect(await get(A, 'down', '/')).to.equal(await get(B, 'down', '/'))
    expect(await get(A, 'none', '/')).to.equal(await get(B, 'none', '/'))
    expect(await get(B, 'up', '/through-b')).to.equal(200)
    await until(() => JSON.stringify(notices).includes('["/through-b",200]'), 'the notice of a request at b')
  })

  it('over http: an error where the directory does not say the address of the server that has the session', async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    await world.start('a', { extensions: [proxyHttp({ listen: [{ host: A, port }] })] })
    const value = { port: 1 }
    const session = world.directory.open({
      cluster: 'rystra',
      name: 'c',
      instance: 'c',
      value,
      lease: 60_000,
      grace: 0,
      clock: { now: () => Date.now(), after: () => () => {} },
      log: silentLog
    })
    await session.join()
    const id = 's-of-c'
    await session.claim({
      key: `proxy ${id}.web`,
      id: `${id}.web`,
      owner: 'home',
      value: {
        spec: { name: 'web', kind: 'http', host: ['web.example.org'] },
        session: sessionInfo({ id }),
        address: `http://web.example.org:${port}`,
        healthy: true,
        ports: []
      }
    })
    const status = async (): Promise<number> => (await askHttp(port, 'web.example.org')).status
    await until(async () => (await status()) !== 404, 'the proxy of the other server')
    expect(await status()).to.equal(502)
    await session.leave()
  })

  it('the name, also in the first moment of a server that has just started', async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    const a = await world.start('a', { extensions: [proxyHttp({ listen: [{ host: A, port }] })] })
    const { port: local } = await startHttpService((_request, response) => response.end('hello'))
    const proxies = Array.from({ length: 50 }, (_, one) => ({
      name: `web${one}`,
      kind: 'http',
      local,
      host: `n${one}.example.org`
    }))
    await startClient(portOf(a), proxies, {}, [], { preset: [...preset, proxyHttp] })
    const statuses: (number | undefined)[] = []
    const ask = async (): Promise<void> => {
      const request = http.get({ host: B, port, agent: false, headers: { host: 'n49.example.org' } })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      response.resume()
      statuses.push(response.statusCode)
    }
    let started = false
    const starting = world.start('b', { extensions: [proxyHttp({ listen: [{ host: B, port }] })] }).then(() => {
      started = true
    })
    while (!started) await Promise.race([ask().catch(() => {}), starting])
    await ask()
    expect(new Set(statuses)).to.deep.equal(new Set([200]))
  })

  it('a trace goes through both servers to the client', async () => {
    const world = await ClusterWorld.open()
    const tracing = defineExtension({
      name: 'tracing',
      setup: ({ hooks }) => hooks.onOpenStream.tap((stream: OpenStreamContext) => stream.carryTrace(TRACE))
    })
    const a = await world.start('a', { extensions: [tracing] })
    await world.start('b', { extensions: [tracing] })
    const seen: (string | undefined)[] = []
    const watch = defineExtension({
      name: 'watch',
      setup: ({ hooks }) => hooks.onOpenStream.tap(({ trace }) => void seen.push(trace))
    })
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local: await startService(echo) }], {}, [
      watch
    ])
    await until(async () => (await askAt(B, visitorPort(client, 'x'), 'x')) === 'x', 'an answer at b')
    expect(seen).to.deep.equal([TRACE])
  })
})
