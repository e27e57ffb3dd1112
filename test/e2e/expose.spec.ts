import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { text } from 'node:stream/consumers'
import type { Client } from '@rystra/client'
import type { Logger } from '@rystra/model'
import {
  cleanUp,
  clientConfig,
  echo,
  failure,
  endOfVisit,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const started = async (): Promise<Client> => startClient(portOf(await startServer()), [])

const portOfFirst = (published: readonly { address: string }[]): number =>
  Number(published[0]?.address.split(':').at(-1))

const get = async (
  port: number,
  path = '/',
  options: http.RequestOptions = {},
  body?: string
): Promise<{ status: number | undefined; headers: http.IncomingHttpHeaders; text: string }> => {
  const request = http.request({ host: '127.0.0.1', port, path, agent: false, ...options }).end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return { status: response.statusCode, headers: response.headers, text: await text(response) }
}

describe('a service within the process', () => {
  afterEach(cleanUp)

  it('is a function that gets a stream for each visitor, with the address of the visitor', async () => {
    const client = await started()
    let seen: unknown
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: (stream, info) => {
          const { remoteAddress, remotePort } = stream as net.Socket
          seen = { remoteAddress, remotePort, visitor: info.visitor.port }
          stream.pipe(stream)
        }
      })
    )
    const visitor = await visit(port)
    const { localPort } = visitor
    visitor.end('there and back')
    expect((await readAll(visitor)).toString()).to.equal('there and back')
    expect(seen).to.deep.equal({ remoteAddress: '127.0.0.1', remotePort: localPort, visitor: localPort })
  })

  it('is a server of node:http that never listens; keep-alive and upgrades work', async () => {
    const client = await started()
    const server = http.createServer((request, response) => {
      response.end(`${request.method} ${request.url} of ${request.socket.remotePort}`)
    })
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
    const port = portOfFirst(await client.expose({ kind: 'tcp', handler: server }))
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    later(() => agent.destroy())
    const first = await get(port, '/a', { agent })
    const second = await get(port, '/b', { agent })
    expect(first.text).to.match(/^GET \/a of \d+$/)
    expect(second.text).to.equal(first.text.replace('/a', '/b'))
    expect(server.listening).to.equal(false)

    const request = http
      .request({ host: '127.0.0.1', port, agent: false, headers: { connection: 'upgrade', upgrade: 'echo' } })
      .end()
    const [, socket] = (await once(request, 'upgrade')) as [unknown, net.Socket]
    socket.write('upgraded')
    expect(String((await once(socket, 'data'))[0])).to.equal('upgraded')
    socket.destroy()
  })

  it('is a function from Request to Response', async () => {
    const client = await started()
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: {
          fetch: async (request, info) => {
            const headers = new Headers({ 'x-visitor': String(info.visitor.port > 0) })
            headers.append('set-cookie', 'a=1')
            headers.append('set-cookie', 'b=2')
            return new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`, {
              status: 201,
              headers
            })
          }
        }
      })
    )
    const answer = await get(port, '/orders?x=1', { method: 'POST' }, 'a body')
    expect(answer.status).to.equal(201)
    expect(answer.text).to.equal('POST /orders a body')
    expect(answer.headers['set-cookie']).to.deep.equal(['a=1', 'b=2'])
    expect(answer.headers['x-visitor']).to.equal('true')
    expect((await get(port, '/', { method: 'HEAD' })).text).to.equal('')
  })

  it('streams an answer as it is made, and stops making it when the visitor goes', async () => {
    const client = await started()
    let pulls = 0
    let cancelled = false
    let aborted = false
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: {
          fetch: (request) => {
            request.signal.addEventListener('abort', () => (aborted = true))
            return new Response(
              new ReadableStream({
                pull(controller) {
                  pulls += 1
                  controller.enqueue(new Uint8Array(65_536))
                },
                cancel() {
                  cancelled = true
                }
              })
            )
          }
        }
      })
    )
    const request = http.get({ host: '127.0.0.1', port, agent: false })
    request.on('error', () => {})
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.on('error', () => {})
    await once(response, 'readable')
    //
    expect(cancelled).to.equal(false)
    expect(pulls).to.be.greaterThan(0)
    request.destroy()
    await until(() => cancelled && aborted)
  })

  it('answers 500 for a handler of requests that throws or answers with something else, and goes on', async () => {
    const client = await started()
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: {
          fetch: async (request) => {
            if (request.url.endsWith('/throws')) throw new Error('with a secret in it')
            if (request.url.endsWith('/wrong')) return 'text' as never
            return new Response('well')
          }
        }
      })
    )
    const thrown = await get(port, '/throws')
    expect(thrown.status).to.equal(500)
    expect(thrown.text).to.not.include('secret')
    expect((await get(port, '/wrong')).status).to.equal(500)
    expect((await get(port, '/')).text).to.equal('well')
  })

  it('answers 400 for what cannot be a Request, which is no fault of the handler', async () => {
    const errors: unknown[] = []
    const say = (): void => {}
    const error = (...words: unknown[]): void => void errors.push(words)
    const log: Logger = { trace: say, debug: say, info: say, warn: say, error, child: () => log }
    const client = await startClient(portOf(await startServer()), [], {}, [], { log })
    let calls = 0
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: {
          fetch: () => {
            calls += 1
            return new Response('well')
          }
        }
      })
    )
    for (const head of [
      'GET / HTTP/1.1\r\nHost: a b',
      'TRACE / HTTP/1.1\r\nHost: x',
      'GET http://[ HTTP/1.1\r\nHost: x'
    ]) {
      const visitor = await visit(port)
      visitor.write(`${head}\r\n\r\n`)
      expect((await readAll(visitor)).toString(), head).to.match(/^HTTP\/1\.1 400 /)
    }
    expect(calls).to.equal(0)
    expect(errors).to.deep.equal([])
    expect((await get(port)).text).to.equal('well')
  })

  it('answers before it has read the request, and the connection goes on or ends', async () => {
    const client = await started()
    const port = portOfFirst(
      await client.expose({ kind: 'tcp', handler: { fetch: () => new Response('no', { status: 413 }) } })
    )
    const answer = await get(port, '/', { method: 'POST' }, 'x'.repeat(3_000_000))
    expect(answer.status).to.equal(413)
    expect((await get(port)).status).to.equal(413)
  })

  it('aborts the request of a visitor who goes while nothing was answered', async () => {
    const client = await started()
    let called = false
    let gone = false
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: {
          fetch: (request) => {
            called = true
            return new Promise((_, reject) => {
              request.signal.addEventListener('abort', () => {
                gone = true
                reject(new Error('no response is expected'))
              })
            })
          }
        }
      })
    )
    const request = http.get({ host: '127.0.0.1', port, agent: false })
    request.on('error', () => {})
    await until(() => called)
    request.destroy()
    await until(() => gone)
    await until(() => client.streams === 0)
  })

  it('resets the visitor of a handler that throws, rejects or destroys its stream; nothing stays open', async () => {
    const client = await started()
    const handlers: Record<string, (stream: { destroy(): unknown }) => unknown> = {
      throws: () => {
        throw new Error('no')
      },
      rejects: () => Promise.reject(new Error('no')),
      destroys: (stream) => stream.destroy()
    }
    for (const [name, handler] of Object.entries(handlers)) {
      const port = portOfFirst(await client.expose({ kind: 'tcp', name, handler }))
      expect(await endOfVisit(port), name).to.equal('ECONNRESET')
      await until(() => client.streams === 0)
    }
  })

  it('ends early, and the visitor sees a clean end', async () => {
    const client = await started()
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: (stream) => {
          stream.resume()
          stream.end('enough')
        }
      })
    )
    const visitor = await visit(port)
    expect((await readAll(visitor)).toString()).to.equal('enough')
    visitor.end()
    await until(() => client.streams === 0)
  })

  it('is reset when the visitor is', async () => {
    const client = await started()
    let error: NodeJS.ErrnoException | undefined
    const port = portOfFirst(
      await client.expose({
        kind: 'tcp',
        handler: (stream) => {
          stream.on('error', (cause) => (error = cause))
          stream.on('data', () => {})
          stream.write('hello')
        }
      })
    )
    const visitor = await visit(port)
    await once(visitor, 'data')
    visitor.resetAndDestroy()
    await until(() => error !== undefined)
    expect(error?.code).to.equal('ECONNRESET')
  })

  it('has to be one: what is no handler, an entry with `local`, and a name that ends in digits', async () => {
    const client = await started()
    for (const spec of [
      { kind: 'tcp', handler: {} },
      { kind: 'tcp', handler: 'text' },
      { kind: 'tcp', local: '127.0.0.1:1', handler: () => {} },
      { kind: 'tcp', handler: () => {}, bandwith: '1MB' }
    ]) {
      expect(await failure(client.expose(spec as never))).to.include({ code: 'proxy.invalid', side: 'client' })
    }
    expect(await failure(client.expose({ kind: 'nope', handler: () => {} }))).to.include({ code: 'proxy.unknown-kind' })
    expect(await failure(client.publish({ name: 'x', kind: 'tcp', local: 'handler:x' }))).to.include({
      code: 'proxy.invalid'
    })
    const port = portOfFirst(
      await client.expose({ kind: 'tcp', name: 'api:99999', handler: (stream) => stream.pipe(stream) })
    )
    const visitor = await visit(port)
    visitor.end('as a name')
    expect((await readAll(visitor)).toString()).to.equal('as a name')
  })

  it('stays exposed over a reconnect and over a reload of the configuration', async () => {
    const first = await startServer()
    const port = portOf(first)
    const client = await startClient(port, [])
    const [exposed] = await client.expose({ kind: 'tcp', name: 'here', handler: (stream) => stream.pipe(stream) })
    await first.stop({ drain: 0 })
    await startServer({ listen: [{ transport: 'tcp', host: '127.0.0.1', port }] })
    await until(() => client.proxies.length === 1)
    const service = await startService(echo)
    await client.reload(clientConfig(port, [{ name: 'other', kind: 'tcp', local: service }]))
    await until(() => client.proxies.length === 2)
    const visitor = await visit(visitorPort(client, 'here'))
    visitor.end('still')
    expect((await readAll(visitor)).toString()).to.equal('still')
    expect(exposed?.name).to.equal('here')
    const clash = clientConfig(port, [{ name: 'here', kind: 'tcp', local: service }])
    expect(await failure(client.reload(clash))).to.include({ code: 'proxy.name-taken' })
    expect(client.proxies.map(({ name }) => name)).to.have.members(['here', 'other'])
  })
})
