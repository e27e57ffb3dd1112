import type { ExchangeView } from '@rystra/inspect-http'
import adminHttp from '@rystra/admin-http'
import authToken from '@rystra/auth-token'
import inspectHttp from '@rystra/inspect-http'
import proxyHttp from '@rystra/proxy-http'
import { expect } from 'chai'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { AdminApi } from '../src/admin/admin-api.js'
import { findPlace } from '../src/admin/find.js'
import { exchangeText, inspectOnce } from '../src/admin/inspect.js'
import { createClient, createServer } from '../src/index.js'
import { inspected } from '../src/run/inspected.js'
import { tunnels } from './fixtures/tunnels.js'
import { Folders } from './folder.js'

const token = 'a-token-of-the-test-0123456789'
const folders = new Folders()
const closing: (() => unknown)[] = []

const get = (port: number, url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = { host: 'app.localhost', authorization: 'hidden' }
    http
      .get({ host: '127.0.0.1', port, path: url, headers, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0))
      })
      .on('error', reject)
  })

describe('rystra inspect', () => {
  after(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    folders.clean()
  })

  it('lists, shows, repeats and exports requests of an expose, which it finds by its socket', async () => {
    const service = http.createServer(
      (request, response) => void response.end(`you asked for ${request.url?.split('?')[0]}`)
    )
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    closing.push(() => service.close())
    const server = await createServer({
      extensions: [authToken({ token }), proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }] }) as never],
      server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1' } }
    })
    await server.start()
    closing.push(() => server.stop({ drain: 0 }))
    const stateDir = folders.make()
    const socketName = `expose-${process.pid}`
    const client = await createClient(
      {
        extensions: [authToken({ token }), proxyHttp() as never, inspectHttp(), adminHttp({ socketName }) as never],
        client: {
          connect: { transport: 'tcp', host: '127.0.0.1', port: server.listening[0]?.port ?? 0 },
          proxies: [
            { name: 'app', kind: 'http', local: (service.address() as AddressInfo).port, host: 'app.localhost' }
          ]
        }
      },
      { stateDir }
    )
    await client.start()
    closing.push(() => client.stop({ drain: 0 }))
    const env = process.env['RYSTRA_STATE']
    process.env['RYSTRA_STATE'] = stateDir
    closing.push(() => {
      if (env === undefined) delete process.env['RYSTRA_STATE']
      else process.env['RYSTRA_STATE'] = env
    })
    const place = await findPlace(folders.make(), {})
    expect(place).deep.equal({ kind: 'unix', path: path.join(stateDir, 'admin', `${socketName}.sock`) })
    const serving = net.createServer().listen(path.join(stateDir, 'admin', 'server.sock'))
    await once(serving, 'listening')
    closing.push(() => new Promise((resolve) => serving.close(() => resolve(undefined))))
    expect(await findPlace(folders.make(), {}, { exposeFirst: true })).deep.equal(place)
    expect(await findPlace(folders.make(), { side: 'server' }, { exposeFirst: true })).not.deep.equal(place)
    const api = new AdminApi(place)
    const live = api.lines('/v1/extensions/inspect/live', new AbortController().signal)
    expect((await live.next()).value).equal('')
    const port = Number(new URL(client.proxies[0]?.address ?? '').port)
    expect(await get(port, '/one?token=hidden')).equal(200)
    expect(JSON.parse((await live.next()).value as string)).include({ status: 200, method: 'GET' })
    await live.return(undefined)

    const none = { list: false, secrets: false }
    expect(await inspectOnce(api, none)).equal(undefined)
    const list = await inspectOnce(api, { ...none, list: true })
    const { items } = (list ?? { result: { items: [] } }).result as { items: { id: string }[] }
    const id = items[0]?.id ?? ''
    expect(list?.text).match(/ 200 +\d+ ms +\d+ B {2}GET http:\/\/app\.localhost\/one\?token=\[masked\]$/)
    expect((await inspectOnce(api, { ...none, search: 'absent' }))?.text).equal('No requests.')
    const shown = (await inspectOnce(api, { ...none, show: id }))?.text ?? ''
    expect(shown).include('authorization: [masked]').and.include('you asked for /one').and.not.include('hidden\n')
    expect((await inspectOnce(api, { ...none, show: id, secrets: true }))?.text).include('authorization: hidden')
    const again = await inspectOnce(api, { ...none, replay: id, target: '/two' })
    expect(again?.result as ExchangeView).include({ status: 200, replayOf: id })
    expect(again?.text).include('you asked for /two')
    expect((await inspectOnce(api, { ...none, curl: id }))?.text).include("curl 'http://app.localhost/one")
    const har = path.join(folders.make(), 'x.har')
    expect((await inspectOnce(api, { ...none, har }))?.text).equal(`${har} has 2 requests.`)
    expect(JSON.parse(readFileSync(har, 'utf8')).log.entries).length(2)
    expect(statSync(har).mode & 0o777).equal(0o600)
    const gone = await inspectOnce(api, { ...none, show: 'x-1' }).catch((error: { code: string }) => error)
    expect(gone).include({ code: 'inspect-http.not-found' })
  })

  it('says what to do where requests are not inspected', async () => {
    const refusing = {
      list: () => Promise.reject(Object.assign(new Error('no'), { code: 'admin.not-found' }))
    } as unknown as AdminApi
    const error = await inspectOnce(refusing, { list: true, secrets: false }).catch(
      (thrown: { hint: string }) => thrown
    )
    expect(error).property('hint').include('@rystra/inspect-http')
  })

  it('writes nothing that a terminal interprets', () => {
    const evil = '\u001b[2J'
    const view = {
      id: 'a-1',
      time: 0,
      proxy: `app${evil}`,
      client: 'c',
      visitor: '203.0.113.1',
      method: 'GET',
      url: `http://x/${evil}`,
      status: 200,
      requestLength: 0,
      responseLength: 9,
      request: { headers: [[`x${evil}`, evil]], body: { length: 0, truncated: false } },
      response: { headers: [], body: { length: 9, truncated: true, text: `line\n${evil}` } },
      timeline: { sent: 1 }
    } as unknown as ExchangeView
    const text = exchangeText(view)
    expect(text).not.include('\u001b')
    expect(text).include('line\n\ufffd[2J\n[9 B, truncated]')
  })

  it('is in an expose once, with a socket of its own', async () => {
    const config = await inspected({ extensions: ['@rystra/inspect-http'] })
    expect(config.extensions).length(2)
    expect((await inspected({})).extensions).length(2)
  })
})

describe('expose, which keeps requests', () => {
  const { echo, folders: exposed, serve, start } = tunnels()

  it('has a socket for rystra inspect; with --no-inspect it has none', async () => {
    const { join: args } = await serve()
    const service = String(await echo())
    const state = exposed.make()
    const sockets = (): string[] =>
      readdirSync(state, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.sock'))
    for (const inspects of [true, false]) {
      const flags = ['expose', 'http', service, ...args, '--json', ...(inspects ? [] : ['--no-inspect'])]
      const client = start(flags, exposed.make(), { RYSTRA_STATE: state })
      await client.event('published')
      expect(sockets()).to.deep.equal(inspects ? [`admin/expose-${client.child.pid}.sock`] : [])
      expect((await client.signal('SIGINT')).code).to.equal(0)
    }
  })
})
