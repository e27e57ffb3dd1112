import { until } from '@rystra/testkit'
import type { NoticeHere } from '@rystra/client'
import { expect } from 'chai'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Feed } from '../src/run/feed.js'
import { feedRequests, plainText, requestLine } from '../src/run/request-log.js'
import type { Running } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { write } from './folder.js'
import { commands } from './fixtures/commands.js'

const { folders, later, start } = commands()

const service = async (): Promise<string> => {
  const server = http.createServer((request, response) => {
    request.resume()
    response.statusCode = request.url === '/missing' ? 404 : 200
    response.end(`for ${request.url}`)
  })
  server.listen(0, '127.0.0.1')
  later(() => server.close())
  await once(server, 'listening')
  return String((server.address() as AddressInfo).port)
}

/** As a browser asks for a name under localhost, wherever that resolves to here. */
const get = async (address: string, path: string): Promise<string> => {
  const { host, port } = new URL(address)
  const request = http.get({ host: '127.0.0.1', port, path, headers: { host }, agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return `${response.statusCode} ${await text(response)}`
}

const serve = async (...more: string[]): Promise<{ server: Running; join: string[]; web: { port: number } }> => {
  const server = start(['serve', '--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--json', ...more])
  const { args } = await server.event('join')
  return { server, join: args as string[], web: (await server.event('web')) as unknown as { port: number } }
}

const notice = (fields: object): NoticeHere => ({
  proxy: { name: 'web', kind: 'http' },
  notice: { method: 'GET', path: '/', status: 200, duration: 12, bytesToService: 0, bytesToVisitor: 1200, ...fields }
})

describe('expose http', () => {
  it('just works with serve: a name under localhost, and each request as it is answered', async () => {
    const { join, web } = await serve()
    const client = start(['expose', 'http', await service(), ...join, '--subdomain', 'app', '--json'])
    const { address } = await client.event('published')
    expect(address).to.equal(`http://app.localhost:${web.port}`)
    expect(await get(String(address), '/orders')).to.equal('200 for /orders')
    expect(await client.event('request')).to.include({
      name: client.events.find(({ event }) => event === 'published')?.['name'],
      method: 'GET',
      path: '/orders',
      status: 200
    })
  })

  it('takes hosts and paths, and shows people a line for each request and none for its streams', async () => {
    const { join } = await serve('--domain', 'tunnel.test')
    const client = start(['expose', 'http', await service(), ...join, '--host', 'app.test', '--path', '/api'])
    const published = await client.line(/→/)
    const address = published.split(' ')[0] ?? ''
    expect(address).to.match(/^http:\/\/app\.test:\d+\/api/)
    expect(await get(address, '/api/x')).to.equal('200 for /api/x')
    const line = await client.line(/GET/)
    expect(line).to.match(/^\d\d:\d\d:\d\d {2}http-\d+ +GET +\/api\/x 200 \d+ ms [\d.]+ k?B out$/)
    expect(client.lines.join('\n')).to.not.match(/connected|closed/)
  })

  it('says which flags go with a configuration', async () => {
    const cwd = folders.make()
    write(cwd, { 'rystra.config.yaml': 'server: { listen: [{ port: 0 }] }\n' })
    const outcome = await rystra(['serve', '--http-port', '80'], { cwd })
    expect(outcome.code).to.equal(2)
    expect(outcome.err).to.include('--http-port').and.include('@rystra/proxy-http')
  })
})

describe('the log of requests', () => {
  it('says method, path, status, duration and bytes, coloured on a terminal only', () => {
    expect(requestLine(notice({}), false)).to.equal('web  GET    / 200 12 ms 1.2 kB out')
    expect(requestLine(notice({ status: 503, bytesToService: 5 }), true)).to.equal(
      'web  GET    / \u001b[31m503\u001b[0m 12 ms 5 B in, 1.2 kB out'
    )
    expect(requestLine(notice({ status: undefined, error: 'stream.reset' }), false)).to.include('--- 12 ms')
    expect(requestLine({ proxy: { name: 'x', kind: 'y' }, notice: { other: 1 } }, false)).to.equal(undefined)
  })

  it('lets a visitor do nothing to the terminal', () => {
    const evil = '/\u001b]0;owned\u0007\u001b[2J\r\nfake line\u202e\u0085'
    const line = requestLine(notice({ path: evil, method: 'G\u001bT', status: '\u001b[' }), false) ?? ''
    expect(line).to.not.match(/[\p{Cc}\p{Cf}]/u)
    expect(plainText('x'.repeat(10_000)).length).to.be.lessThan(200)
    for (const wrong of [Number.NaN, 'long', null])
      expect(requestLine(notice({ duration: wrong }), false)).to.include('0 ms')
  })

  it('counts what people cannot follow, and tells programs all of it', async () => {
    const reported = (json: boolean): { lines: string[]; client: EventEmitter } => {
      const lines: string[] = []
      const feed = new Feed({ json: false, brief: false, streams: true })
      feed.detail = (_event, _fields, line) => void (json || line !== undefined ? lines.push(line ?? '') : undefined)
      feed.summary = (line) => void lines.push(line)
      const client = new EventEmitter()
      feedRequests(feed, client as never, false)
      return { lines, client }
    }
    const [people, programs] = [reported(false), reported(true)]
    for (let index = 0; index < 1000; index += 1) {
      for (const { client } of [people, programs]) client.emit('notice', notice(index === 7 ? { lost: 23 } : {}))
    }
    expect(programs.lines).to.have.length(1000)
    expect(people.lines).to.have.length(50)
    await until(() => people.lines.length > 50)
    expect(people.lines.at(-1)).to.equal('… and 973 more requests')
  })
})
