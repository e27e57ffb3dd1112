import hookRewrite from '@rystra/hook-rewrite'
import { defineExtension } from '@rystra/plugin'
import { expect } from 'chai'
import {
  ask,
  frontPort,
  mirror,
  type Mirrored,
  sendRaw,
  startHttpClient,
  startHttpServer,
  startHttpService,
  startRawService
} from './http-world.js'
import { cleanUp, until, visit } from './tunnel.js'

type Options = Parameters<typeof startHttpServer>[0]
type Extensions = Parameters<typeof startHttpServer>[1]

const tunnel = async (local: number, spec: object = {}, options: Options = {}, more: Extensions = []) => {
  const server = await startHttpServer(options, more)
  return frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local, ...spec }]))
}

describe('http: services that do not keep to the rules', () => {
  afterEach(cleanUp)

  it('answers 502 for a body in a coding that the visitor would not know of', async () => {
    for (const coding of ['gzip', 'gzip, chunked', 'chunked, identity', 'identity', 'chunked, chunked']) {
      const local = await startRawService((socket) => {
        socket.once('data', () =>
          socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n`)
        )
      })
      const { status, body } = await ask(await tunnel(local), 'app.localhost')
      expect(status, `${coding}: ${body}`).to.equal(502)
      await cleanUp()
    }
  })

  it('answers 504 for one that says 100 without end', async () => {
    const local = await startRawService((socket) => {
      socket.once('data', () => {
        const timer = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 20)
        socket.on('close', () => clearInterval(timer))
      })
    })
    const port = await tunnel(local, {}, { answerTimeout: 500 })
    for (const headers of [{}, { Expect: '100-continue', 'Content-Length': 0 }])
      expect((await ask(port, 'app.localhost', '/', { headers })).status).to.equal(504)
  })

  it('keeps few hints for a visitor who does not read', async () => {
    let hints = 0
    const local = await startRawService((socket) => {
      socket.once('data', () => {
        const hint = `HTTP/1.1 103 Early Hints\r\nLink: </${'x'.repeat(1000)}>; rel=preload\r\n\r\n`
        const more = (): void => {
          while (hints < 2000) {
            hints += 1
            if (!socket.write(hint)) return void socket.once('drain', more)
          }
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        }
        more()
      })
    })
    const port = await tunnel(local)
    const visitor = await visit(port)
    visitor.write('GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n')
    await until(() => hints === 2000)
    let text = ''
    for await (const chunk of visitor) text += String(chunk)
    expect(text.split('HTTP/1.1 103')).to.have.length.within(2, 17)
    expect(text.endsWith('\r\n\r\nok')).to.equal(true)
  })

  it('gives no hints to visitors of HTTP/1.0, RFC 9110 §15.2', async () => {
    const { port: local } = await startHttpService((_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.end('ok')
    })
    const text = await sendRaw(await tunnel(local), 'GET / HTTP/1.0\r\nHost: app.localhost\r\n\r\n')
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/)
  })
})

describe('http: a Host that a hook chose', () => {
  afterEach(cleanUp)

  it('goes to the service, by either version of HTTP, and the route stays', async () => {
    const { port: local } = await startHttpService(mirror)
    const rewrite = hookRewrite({
      rules: [{ heads: [{ on: 'request', replace: [{ header: 'Host', pattern: 'app', with: 'inner' }] }] }]
    })
    const port = await tunnel(local, { hostHeader: 'app.test' }, {}, [rewrite])
    const { rawHeaders } = JSON.parse((await ask(port, 'app.localhost')).body) as Mirrored
    expect(rawHeaders.slice(0, 2)).to.deep.equal(['Host', 'inner.test'])
    expect(rawHeaders.filter((name) => name.toLowerCase() === 'host')).to.have.length(1)
  })

  it('has to be one, and one alone', async () => {
    const { port: local } = await startHttpService(mirror)
    const hook = defineExtension({
      name: 'hosts',
      setup({ hooks, role }) {
        if (role === 'client') return
        hooks.onRequest.tap(({ target, headers }) => {
          if (target === '/two') headers.push(['host', 'other.test'])
          if (target === '/odd') headers[0] = ['Host', 'a b']
          if (target === '/none') headers.shift()
        })
      }
    })
    const port = await tunnel(local, {}, {}, [hook()])
    expect((await ask(port, 'app.localhost', '/two')).status).to.equal(500)
    expect((await ask(port, 'app.localhost', '/odd')).status).to.equal(500)
    const { headers } = JSON.parse((await ask(port, 'app.localhost', '/none')).body) as Mirrored
    expect(headers['host']).to.equal('app.localhost')
  })
})
