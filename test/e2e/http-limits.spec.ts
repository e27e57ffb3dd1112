import { type Logger, silentLog } from '@rystra/model'
import proxyHttp from '@rystra/proxy-http'
import { expect } from 'chai'
import type { ServerResponse } from 'node:http'
import http2, { type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { ask, frontPort, httpPreset, sendRaw, startHttpClient, startHttpService, statusesOf } from './http-world.js'
import type { Socket } from 'node:net'
import { cleanUp, later, portOf, startClient, startServer, until } from './tunnel.js'

type Options = NonNullable<Parameters<typeof proxyHttp>[0]>

const authority = 'app.localhost'

/** A service that answers when it is told to. */
const tunnel = async (options: Options = {}, spec: object = {}, log: Logger = silentLog) => {
  const pending: ServerResponse[] = []
  const { port: local } = await startHttpService((_, response) => pending.push(response))
  const listen = [{ host: '127.0.0.1', port: 0 }]
  const server = await startServer({}, [proxyHttp({ listen, ...options })], { preset: httpPreset, log })
  const client = await startHttpClient(server, [{ name: 'app', kind: 'http', local, ...spec }])
  return { port: frontPort(client), pending }
}

const statusOf = (stream: ClientHttp2Stream): Promise<IncomingHttpHeaders & { ':status'?: number }> =>
  new Promise((resolve) => {
    stream.on('error', () => {}).resume()
    stream.once('response', resolve)
  })

describe('http: limits', () => {
  afterEach(cleanUp)

  for (const [option, status] of [
    ['maxRequestsPerAddress', 429],
    ['maxRequestsPerProxy', 503]
  ] as const) {
    it(`answers ${status} above ${option}, and takes requests again below it`, async () => {
      const { port, pending } = await tunnel({ [option]: 8 })
      const sessions = [0, 1].map(() => http2.connect(`http://127.0.0.1:${port}`).on('error', () => {}))
      later(() => {
        for (const session of sessions) session.destroy()
      })
      const answers = Array.from({ length: 20 }, (_, index) =>
        statusOf((sessions[index % 2] as http2.ClientHttp2Session).request({ ':authority': authority }))
      )
      await until(() => pending.length === 8)
      const refused = await Promise.all(Array.from({ length: 12 }, () => Promise.race(answers)))
      for (const headers of refused) {
        expect(headers).to.include({ ':status': status, 'x-rystra-error': 'stream.limit', 'retry-after': '1' })
      }
      for (const response of pending.splice(0)) response.end()
      expect((await Promise.all(answers)).filter((headers) => headers[':status'] === 200)).to.have.length(8)
      const again = ask(port, authority)
      await until(() => pending.length === 1)
      pending[0]?.end()
      expect((await again).status).to.equal(200)
    })
  }

  it('serves others while one address reads no answer of many requests on many connections, with few sockets', async () => {
    const connections = new Set<Socket>()
    const { port: local, server: service } = await startHttpService((_, response) => {
      response.on('error', () => {}).end(Buffer.alloc(256 * 1024))
    })
    service.on('connection', (socket: Socket) => {
      connections.add(socket)
      socket.on('close', () => connections.delete(socket))
    })
    const listen = [{ host: '127.0.0.1', port: 0 }]
    const server = await startServer({}, [proxyHttp({ listen })], { preset: httpPreset })
    const proxies = [{ name: 'app', kind: 'http', local }]
    const client = await startClient(portOf(server), proxies, {}, [], { preset: httpPreset, maxServiceSockets: 16 })
    const port = frontPort(client)
    const attackers = Array.from({ length: 6 }, () =>
      http2.connect(`http://127.0.0.1:${port}`, { localAddress: '127.0.0.2' } as object).on('error', () => {})
    )
    later(() => {
      for (const attacker of attackers) attacker.destroy()
    })
    const statuses: (number | undefined)[] = []
    const streams = attackers.flatMap((attacker) =>
      Array.from({ length: 10 }, () => attacker.request({ ':authority': authority }))
    )
    for (const stream of streams) {
      // Its answer is not read.
      stream.on('error', () => {}).once('response', (headers) => statuses.push(headers[':status']))
    }
    await until(() => statuses.length === streams.length)
    expect(statuses.filter((status) => status === 200).length, 'served of the attack').to.be.within(1, 8)
    expect(statuses.filter((status) => status !== 200 && status !== 503)).to.deep.equal([])
    expect(connections.size).to.be.at.most(8)
    for (let round = 0; round < 10; round += 1) expect((await ask(port, authority)).status).to.equal(200)
  })

  it('answers 429 above maxConnectionsPerAddress', async () => {
    const { port } = await tunnel({ maxConnectionsPerAddress: 1 })
    const idle = http2.connect(`http://127.0.0.1:${port}`)
    later(() => idle.destroy())
    await new Promise((resolve) => idle.once('remoteSettings', resolve))
    const refused = await sendRaw(port, `GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    expect(statusesOf(refused)).to.deep.equal([429])
    expect(refused).to.contain('\r\nX-Rystra-Error: http.429\r\n')
  })

  it('cuts a request with the limit in the log, which a proxy may set for itself', async () => {
    const lines: Record<string, unknown>[] = []
    const info = (fields: unknown): void => void lines.push(fields as Record<string, unknown>)
    const log: Logger = { ...silentLog, info, child: () => log }
    const { port } = await tunnel({ answerTimeout: 60_000 }, { answerTimeout: 100 }, log)
    const { status, headers } = await ask(port, authority)
    expect([status, headers['x-rystra-error']]).to.deep.equal([504, 'stream.timeout'])
    const [line] = lines.filter(({ limit }) => limit !== undefined)
    expect(line).to.include({ proxy: 'app', visitor: '127.0.0.1', limit: 'answerTimeout', milliseconds: 100 })
  })

  it('cuts a body that is silent for longer than the limit of its proxy, with the limit in the log', async () => {
    const lines: Record<string, unknown>[] = []
    const info = (fields: unknown): void => void lines.push(fields as Record<string, unknown>)
    const log: Logger = { ...silentLog, info, child: () => log }
    const { port, pending } = await tunnel({}, { bodyTimeout: 100 }, log)
    const answer = ask(port, authority).catch((error: NodeJS.ErrnoException) => error.code)
    await until(() => pending.length === 1)
    pending[0]?.write('begun')
    expect(await answer).to.equal('ECONNRESET')
    const [line] = lines.filter(({ limit }) => limit !== undefined)
    expect(line).to.include({ proxy: 'app', limit: 'bodyTimeout', milliseconds: 100 })
  })

  it('names a method that the parser does not know', async () => {
    const { port } = await tunnel()
    const text = await sendRaw(port, `PURGEX / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
    expect(statusesOf(text)).to.deep.equal([501])
    expect(text).to.contain('\r\nX-Rystra-Error: http.501\r\n').and.contain('The method PURGEX is not supported')
    expect(statusesOf(await sendRaw(port, 'PURGEX\r\n\r\n'))).to.deep.equal([400])
  })
})
