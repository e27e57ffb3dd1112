import { expect } from 'chai'
import http from 'node:http'
import { defineExtension } from '@rystra/plugin'
import {
  ask,
  frontPort,
  mirror,
  type Mirrored,
  startHttpClient,
  startHttpServer,
  startHttpService
} from './http-world.js'
import { cleanUp, later, until } from './tunnel.js'

describe('http: hooks', () => {
  afterEach(cleanUp)

  it('asks hooks about each request and answer, and tells them and the client of the end', async () => {
    const closed: [string, number, number][] = []
    const hook = defineExtension({
      name: 'requests',
      setup({ hooks, role }) {
        if (role === 'client') return
        hooks.onRequest.tap((context) => {
          if (context.target === '/deny') return { deny: 'not today' }
          if (context.target === '/limit') return { deny: 'too many', retryAfter: 7 }
          if (context.target === '/own') return { respond: { status: 299, headers: [['X-Own', '1']], body: 'own' } }
          context.headers.push(['X-Hook', context.host])
          context.target = `/hooked${context.target}`
          return undefined
        })
        hooks.onResponse.tap((context) => {
          context.headers.push(['X-Seen', String(context.status)])
          context.status = 202
        })
        hooks.onCloseRequest.tap(({ request, status, bytesToVisitor }) =>
          closed.push([request.target, status, bytesToVisitor])
        )
      }
    })
    const { port: local } = await startHttpService((request, response) => void mirror(request, response))
    const client = await startHttpClient(await startHttpServer({}, [hook()]), [{ name: 'app', kind: 'http', local }])
    const notices: unknown[] = []
    client.on('notice', (...args: unknown[]) => notices.push(args))
    const port = frontPort(client)
    const answer = await ask(port, 'app.localhost', '/x')
    const { target, headers } = JSON.parse(answer.body) as Mirrored
    expect([answer.status, answer.headers['x-seen'], target, headers['x-hook']]).to.deep.equal([
      202,
      '200',
      '/hooked/x',
      'app.localhost'
    ])
    const denied = await ask(port, 'app.localhost', '/deny')
    expect([denied.status, denied.headers['x-rystra-error']]).to.deep.equal([403, 'stream.refused'])
    expect(denied.body).to.include('Not today')
    const limited = await ask(port, 'app.localhost', '/limit')
    expect([limited.status, limited.headers['retry-after']]).to.deep.equal([429, '7'])
    const own = await ask(port, 'app.localhost', '/own', { method: 'POST', body: 'ignored' })
    expect([own.status, own.body, own.headers['x-own']]).to.deep.equal([299, 'own', '1'])
    await until(() => closed.length === 4 && notices.length === 4)
    expect(closed[0]).to.deep.equal(['/hooked/x', 202, Buffer.byteLength(answer.body)])
    expect(JSON.stringify(notices[0])).to.include('"path":"/x"').and.to.include('"status":202')
  })

  it('asks hooks before it asks for a password: who guesses is counted, and told of', async () => {
    const closed: [string, number][] = []
    const hook = defineExtension({
      name: 'guesses',
      setup({ hooks, role }) {
        if (role === 'client') return
        let left = 2
        hooks.onRequest.tap(({ headers }) => {
          expect(headers.map(([name]) => name.toLowerCase())).to.not.include('authorization')
          left -= 1
          return left < 0 ? { deny: 'too many', retryAfter: 9 } : undefined
        })
        hooks.onCloseRequest.tap(({ request, status }) => void closed.push([request.method, status]))
      }
    })
    let came = 0
    const { port: local } = await startHttpService((_, response) => {
      came += 1
      response.end('in')
    })
    const basicAuth = { user: 'ann', password: 'right' }
    const client = await startHttpClient(await startHttpServer({}, [hook()]), [
      { name: 'app', kind: 'http', local, basicAuth }
    ])
    const port = frontPort(client)
    const statuses: number[] = []
    for (const auth of ['ann:wrong', 'ann:right', 'ann:wrong'])
      statuses.push((await ask(port, 'app.localhost', '/', { auth })).status)
    expect(statuses).to.deep.equal([401, 200, 429])
    await until(() => closed.length === 3)
    expect(closed).to.deep.equal(statuses.map((status) => ['GET', status]))
    expect(came).to.equal(1)
  })

  it('shares no connection among visitors when hooks look at who visits', async () => {
    const ports: number[] = []
    const hook = defineExtension({
      name: 'guard',
      setup: ({ hooks, role }) => {
        if (role === 'server') hooks.onOpenStream.tap(({ visitor }) => void ports.push(visitor.port))
      }
    })
    const { port: local } = await startHttpService((_, response) => response.end('ok'))
    const client = await startHttpClient(await startHttpServer({}, [hook()]), [{ name: 'app', kind: 'http', local }])
    const port = frontPort(client)
    for (let index = 0; index < 3; index += 1) await ask(port, 'app.localhost')
    expect(new Set(ports).size, 'each visitor was looked at').to.equal(3)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    for (let index = 0; index < 3; index += 1) await ask(port, 'app.localhost', '/', { agent })
    expect(ports.length, 'one visitor uses its own again').to.equal(4)
  })
})
