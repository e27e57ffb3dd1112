import { expect } from 'chai'
import http from 'node:http'
import http2 from 'node:http2'
import { once } from 'node:events'
import { defineExtension } from '@rystra/plugin'
import { ask, mirror, sendRaw, startHttpService, statusesOf } from './http-world.js'
import { cleanUp, later, until, visit, turns } from './tunnel.js'
import { HEAD, publishBoth } from './bad-world.js'

describe('http: bad input', () => {
  afterEach(cleanUp)

  it('refuses heads that are too large, have too many fields, or come too slowly', async () => {
    const limited = await publishBoth(1, { maxHeadSize: 16_384, maxHeaders: 64 })
    const large = await sendRaw(limited.port, `GET / HTTP/1.1\r\n${HEAD}X: ${'y'.repeat(1_000_000)}`)
    expect(statusesOf(large)).to.deep.equal([431])
    const many = await sendRaw(limited.port, `GET / HTTP/1.1\r\n${HEAD}${'X: y\r\n'.repeat(64)}\r\n`)
    expect(statusesOf(many)).to.deep.equal([431])
    await limited.rest()
    const { port, rest } = await publishBoth(1, { headTimeout: 300 })
    const slow = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: app.loc')
    expect(statusesOf(slow)).to.deep.equal([408])
    // A visitor that sends nothing, or too little to tell the version, is closed without a response.
    expect(await sendRaw(port, 'PRI * HTTP/2.0\r\n')).to.equal('')
    expect(await sendRaw(port, '')).to.equal('')
    await rest()
  })

  it('refuses bodies that come too slowly, and lets the service go', async () => {
    let closed = 0
    const { port: local } = await startHttpService((request) => {
      request.on('error', () => {})
      request.socket.on('close', () => {
        closed += 1
      })
    })
    // Long enough for a busy machine to answer the requests of `rest`.
    const { port, rest } = await publishBoth(local, { answerTimeout: 500 })
    const text = await sendRaw(port, `POST / HTTP/1.1\r\n${HEAD}Content-Length: 10\r\n\r\nhalf`)
    expect(statusesOf(text)).to.deep.equal([408])
    await until(() => closed === 1)
    await rest()
  })

  it('closes visitors that never read, and the service with them', async () => {
    let closed = 0
    const block = Buffer.alloc(100_000)
    const { port: local } = await startHttpService((_, response) => {
      const go = (): void => {
        while (response.write(block));
        response.once('drain', go)
      }
      go()
      response.on('close', () => {
        closed += 1
      })
    })
    const { port, rest } = await publishBoth(local, { bodyTimeout: 200 })
    const socket = await visit(port)
    socket.pause()
    socket.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`)
    await until(() => closed === 1)
    await rest()
  })

  it('releases the service when a visitor goes, before and within the answer', async () => {
    let open = 0
    const { port: local } = await startHttpService((request, response) => {
      open += 1
      if (request.url === '/begun') response.write('x')
      response.on('close', () => {
        open -= 1
      })
    })
    const { port, rest } = await publishBoth(local)
    for (const path of ['/', '/begun']) {
      const socket = await visit(port)
      socket.write(`GET ${path} HTTP/1.1\r\n${HEAD}\r\n`)
      await until(() => open === 1)
      if (path === '/begun') await once(socket, 'data')
      socket.destroy()
      await until(() => open === 0)
    }
    const session = http2.connect(`http://127.0.0.1:${port}`)
    later(() => session.destroy())
    const stream = session.request({ ':authority': 'app.localhost' })
    stream.on('error', () => {})
    await until(() => open === 1)
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await until(() => open === 0)
    await rest()
  })

  it('answers 503 at the limit of requests of a service', async () => {
    const { port: local } = await startHttpService((request, response) => {
      if (request.url !== '/wait') response.end('ok')
      else response.write('x')
    })
    const { port, rest } = await publishBoth(local, {}, { maxConnections: 1 })
    const waiting = http.get({ port, host: '127.0.0.1', path: '/wait', headers: { host: 'app.localhost' } })
    later(() => waiting.destroy())
    const [held] = (await once(waiting, 'response')) as [http.IncomingMessage]
    held.on('error', () => {})
    const { status, headers } = await ask(port, 'app.localhost')
    expect([status, headers['retry-after'], headers['x-rystra-error']]).to.deep.equal([503, '1', 'stream.limit'])
    await rest()
  })

  it('begins requests that were sent ahead one after the other', async () => {
    let open = 0
    let most = 0
    const { port: local } = await startHttpService((_, response) => {
      open += 1
      most = Math.max(most, open)
      setImmediate(() => {
        open -= 1
        response.end('ok')
      })
    })
    const { port } = await publishBoth(local)
    const text = await sendRaw(
      port,
      `${`GET / HTTP/1.1\r\n${HEAD}\r\n`.repeat(200)}GET / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`
    )
    expect(statusesOf(text).length).to.equal(201)
    expect(most).to.equal(1)
  })

  it('ends an HTTP/2 connection that takes requests back as fast as it makes them', async () => {
    const { port: local } = await startHttpService(() => {})
    const { port, rest } = await publishBoth(local)
    const session = http2.connect(`http://127.0.0.1:${port}`)
    later(() => session.destroy())
    session.on('error', () => {})
    let over = false
    session.on('close', () => {
      over = true
    })
    for (let count = 0; !over && count < 20_000; count += 1) {
      try {
        const stream = session.request({ ':authority': 'app.localhost' })
        stream.on('error', () => {})
        stream.close(http2.constants.NGHTTP2_CANCEL)
      } catch {
        break
      }
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => over)
    await rest()
  })

  it('answers for hooks that throw, hang, or make heads that cannot be', async () => {
    const hook = defineExtension({
      name: 'faulty',
      setup({ hooks, role }) {
        if (role === 'client') return
        hooks.onRequest.tapPromise({ timeout: 100 }, async (context) => {
          if (context.host !== 'app.localhost') return undefined
          if (context.target === '/throw') throw new Error('on purpose')
          if (context.target === '/hang') await new Promise(() => {})
          if (context.target === '/field') context.headers.push(['X', 'a\r\nY: b'])
          if (context.target === '/length') context.headers.push(['Content-Length', '3'])
          if (context.target === '/target') context.target = 'no path'
          if (context.target === '/slow') await turns(20)
          return undefined
        })
        hooks.onResponse.tapPromise({ timeout: 100 }, async (context) => {
          if (context.request.target === '/response') throw new Error('on purpose')
          if (context.request.target === '/stuck') await new Promise(() => {})
          if (context.request.target === '/status') context.status = 99
          if (context.request.target === '/answer') context.headers.push(['X', 'a\nb'])
        })
      }
    })
    const { port: local } = await startHttpService((request, response) => void mirror(request, response))
    const { port, rest } = await publishBoth(local, {}, {}, [hook()])
    for (const path of [
      '/throw',
      '/hang',
      '/field',
      '/length',
      '/target',
      '/response',
      '/stuck',
      '/status',
      '/answer'
    ]) {
      const { status, headers, body } = await ask(port, 'app.localhost', path)
      // Not 403: the fault is the server's, and not the visitor's.
      expect(status, `${path}: ${body}`).to.equal(500)
      expect(headers['x-rystra-error'], path).to.equal(/hang|stuck/.test(path) ? 'hook.timeout' : 'hook.failed')
      expect(body, path).to.not.include('on purpose')
    }
    expect((await ask(port, 'app.localhost', '/slow')).status).to.equal(200)
    await rest()
  })

  it('shows the pages of the proxy, then those of the server, then its own', async () => {
    const { port: free, server: closing } = await startHttpService(() => {})
    closing.close()
    const options = { errorPages: { '4xx': '<p>server {{status}} {{text}}' } }
    const { port } = await publishBoth(free, options, { errorPages: { '502': '<p>proxy {{code}}' } })
    const headers = { accept: 'text/html' }
    expect((await ask(port, 'app.localhost', '/', { headers })).body).to.equal('<p>proxy stream.service-unreachable')
    expect((await ask(port, 'none.localhost', '/', { headers })).body).to.match(/^<p>server 404 There is nothing/)
    expect((await ask(port, 'app.localhost')).body).to.match(/^502 Bad Gateway\n/)
  })

  it('takes no more connections than it may', async () => {
    const { port } = await publishBoth(1, { maxConnections: 2 })
    const first = await visit(port)
    const second = await visit(port)
    const refused = await sendRaw(port, `GET / HTTP/1.1\r\n${HEAD}\r\n`)
    expect(statusesOf(refused)).to.deep.equal([503])
    expect(refused).to.contain('\r\nX-Rystra-Error: http.503\r\n')
    first.destroy()
    second.destroy()
    for (;;) {
      const text = await sendRaw(port, `GET / HTTP/1.1\r\nHost: none\r\nConnection: close\r\n\r\n`)
      if (statusesOf(text)[0] === 404) break
    }
  })
})
