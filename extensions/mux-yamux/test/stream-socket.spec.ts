import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import type { Duplex } from 'node:stream'
import { mock } from 'node:test'
import tls from 'node:tls'
import { cleanUp, memoryPair, quiet, socketPair, streamPair, turns, until } from './ends.js'

describe('a stream as a socket', () => {
  afterEach(cleanUp)

  it('serves HTTP, with an agent that keeps streams alive', async () => {
    const pair = await socketPair()
    const server = http.createServer((request, response) => {
      response.end(`you requested ${request.url}`)
    })
    pair.server.onStream = (stream) => server.emit('connection', stream)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const stream = await pair.client.open()
    let used = 0
    ;(agent as unknown as { createConnection(): Duplex }).createConnection = () => {
      used += 1
      return stream
    }
    const get = (path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        http
          .get({ agent, path, host: 'service' }, (response) => {
            let body = ''
            response.on('data', (chunk: Buffer) => {
              body += String(chunk)
            })
            response.on('end', () => resolve(body))
          })
          .on('error', reject)
      })
    expect(await get('/one')).to.equal('you requested /one')
    await turns(3)
    expect(await get('/two')).to.equal('you requested /two')
    expect(used).to.equal(1)
    agent.destroy()
  })

  it('carries TLS', async () => {
    const [near, far] = await streamPair(await socketPair())
    // A shared key needs no certificate.
    const shared = { ciphers: 'PSK+HIGH', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
    const psk = Buffer.alloc(32, 7)
    const server = tls.createServer({ ...shared, pskCallback: () => psk, pskIdentityHint: 'us' }, (socket) => {
      quiet(socket).pipe(socket)
    })
    server.emit('connection', far)
    const client = quiet(
      tls.connect({
        ...shared,
        socket: near,
        pskCallback: () => ({ psk, identity: 'me' }),
        checkServerIdentity: () => undefined
      })
    )
    const bytes = Buffer.alloc(2_000_000, 'tls')
    client.end(bytes)
    const back: Buffer[] = []
    client.on('data', (chunk: Buffer) => back.push(chunk))
    await once(client, 'end')
    expect(Buffer.concat(back).equals(bytes)).to.equal(true)
  })

  it('emits timeout when it is silent for so long, and not while bytes pass', async () => {
    const [near, far] = await streamPair(memoryPair())
    far.pipe(far)
    let bytes = 0
    near.on('data', ({ length }: Buffer) => {
      bytes += length
    })
    const socket = near as Duplex & { setTimeout(ms: number, listener?: () => void): unknown }
    let timeouts = 0
    const timer = mock.method(globalThis, 'setTimeout')
    socket.setTimeout(60, () => {
      timeouts += 1
    })
    const [call] = timer.mock.calls
    timer.mock.restore()
    expect(call?.arguments[1]).to.equal(60)
    const begun = mock.method(call?.result as NodeJS.Timeout, 'refresh')
    near.write('x')
    await until(() => bytes === 1, 'the answer')
    expect(begun.mock.callCount(), 'begun anew by what is written and by what is read').to.equal(2)
    await until(() => timeouts === 1, 'the timeout')
    socket.setTimeout(0)
  })
})
