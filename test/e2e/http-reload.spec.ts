import { freePort } from '@rystra/testkit'
import proxyHttp from '@rystra/proxy-http'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { type Answered, ask, httpPreset, startHttpClient, startHttpService } from './http-world.js'
import { cleanUp, later, serverConfig, startServer, until, visit } from './tunnel.js'

type Options = NonNullable<Parameters<typeof proxyHttp>[0]>

/** A tunnel whose visitors come in at a port that stays. */
const tunnel = async () => {
  const port = await freePort()
  const listen = [{ host: '127.0.0.1', port }]
  const server: Server = await startServer({}, [proxyHttp({ listen })], { preset: httpPreset })
  const waiting: http.ServerResponse[] = []
  const { port: local, server: service } = await startHttpService((request, response) => {
    if (request.url !== '/slow') return response.end('here')
    response.write('be')
    return waiting.push(response)
  })
  service.on('upgrade', (_, socket) => {
    later(() => socket.destroy())
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.pipe(socket)
  })
  const client = await startHttpClient(server, [{ name: 'app', kind: 'http', local }])
  const published: unknown[] = []
  client.on('published', (proxy: unknown) => published.push(proxy))
  const reload = (options: Options) => server.reload(serverConfig({}, [proxyHttp({ listen, ...options })]))
  return { port, server, client, waiting, published, reload }
}

const agentOf = (): http.Agent => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  later(() => agent.destroy())
  return agent
}

describe('http: a reload with other options', () => {
  afterEach(cleanUp)

  it('keeps visitors served: new ones, those with a connection, and those in the middle of an answer', async () => {
    const { port, waiting, published, reload, client } = await tunnel()
    const agent = agentOf()
    const statuses: number[] = []
    let on = true
    const asking = [undefined, agent].map(async (by) => {
      while (on) statuses.push((await ask(port, 'app.localhost', '/', by === undefined ? {} : { agent: by })).status)
    })
    const slow: Promise<Answered> = ask(port, 'app.localhost', '/slow')
    await until(() => waiting.length === 1 && statuses.length > 10)
    const echo = await visit(port)
    echo.write('GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    await once(echo, 'data')

    await reload({ headTimeout: 7000 })
    const before = statuses.length
    await until(() => statuses.length > before + 20)
    await reload({ headTimeout: 7000, errorPages: { '404': '<p>changed' } })
    await until(() => statuses.length > before + 40)
    on = false
    await Promise.all(asking)

    expect(new Set(statuses)).to.deep.equal(new Set([200]))
    expect(published, 'proxies that had to be published anew').to.deep.equal([])
    expect(client.proxies).to.have.length(1)
    waiting[0]?.end('gun')
    expect((await slow).body).to.equal('begun')
    echo.write('still here')
    expect(String((await once(echo, 'data'))[0])).to.equal('still here')
    const missing = await ask(port, 'none.localhost', '/', { headers: { accept: 'text/html' } })
    expect(missing.body, 'the new options').to.equal('<p>changed')
  })

  it('has those move who keep their connection', async () => {
    const { port, reload, waiting } = await tunnel()
    const agent = agentOf()
    const session = http2.connect(`http://127.0.0.1:${port}`)
    later(() => session.destroy())
    await once(session, 'connect')
    const busy = ask(port, 'app.localhost', '/slow', { agent })
    await until(() => waiting.length === 1)
    const goaway = once(session, 'goaway')
    await reload({ maxHeaders: 64 })
    await goaway
    waiting[0]?.end('gun')
    // That answer, or the next one of its connection: the head of the first may have been made before.
    const answers = [await busy, await ask(port, 'app.localhost', '/', { agent })]
    expect(answers.map(({ headers }) => headers.connection)).to.include('close')
    const headers = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x-${index}`, '1']))
    expect((await ask(port, 'app.localhost', '/', { agent, headers })).status).to.equal(431)
  })

  it('publishes anew what is reached in another way', async () => {
    const { port, reload, published } = await tunnel()
    await reload({ baseDomain: 'tunnel.test' })
    await until(() => published.length > 0)
    expect((await ask(port, 'app.tunnel.test')).status).to.equal(200)
    expect((await ask(port, 'app.localhost')).status).to.equal(404)
  })

  it('that fails changes nothing', async () => {
    const { port, reload, published } = await tunnel()
    const agent = agentOf()
    expect((await ask(port, 'app.localhost', '/', { agent })).status).to.equal(200)
    const taken = await startHttpService(() => {})
    const listen = [
      { host: '127.0.0.1', port },
      { host: '127.0.0.1', port: taken.port }
    ]
    const failed = await reload({ listen }).then(
      () => undefined,
      (error: Error) => error
    )
    expect(failed?.message).to.include(String(taken.port))
    const kept = await ask(port, 'app.localhost', '/', { agent })
    expect([kept.status, kept.headers.connection]).to.deep.equal([200, 'keep-alive'])
    expect((await ask(port, 'app.localhost')).status).to.equal(200)
    expect(published).to.deep.equal([])
  })
})
