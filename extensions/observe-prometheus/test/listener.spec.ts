import { expect } from 'chai'
import { isRystraError, silentLog } from '@rystra/plugin'
import { SharedPorts } from '@rystra/net'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { MetricsListener, type ListenSettings } from '../src/listener.js'
import { MetricsRegistry } from '../src/registry.js'
import { defaults, metricsWith, proxyHandle, runtimeWith } from './fakes.js'
import { parseExposition } from './parse.js'

const token = 'a token of 16 or more'
const running: MetricsListener[] = []

const listen = async (
  settings: Partial<ListenSettings> = {},
  proxies = 1,
  ports = new SharedPorts()
): Promise<number> => {
  const handles = Array.from({ length: proxies }, (_, i) => proxyHandle(String(i)))
  const registry = new MetricsRegistry(runtimeWith({ proxies: () => handles }), metricsWith([]), {
    ...defaults,
    maxSeries: 10_000
  })
  const listener = new MetricsListener(
    { host: '127.0.0.1', port: 0, path: '/metrics', hosts: [], ...settings },
    registry,
    silentLog,
    ports
  )
  await listener.start()
  running.push(listener)
  return listener.address?.port ?? 0
}

const get = (
  port: number,
  options: http.RequestOptions = {}
): Promise<{ status: number; headers: http.IncomingHttpHeaders; text: string }> =>
  new Promise((resolve, reject) => {
    http
      .request({ host: '127.0.0.1', port, path: '/metrics', agent: false, ...options }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      })
      .on('error', reject)
      .end()
  })

describe('the listener for metrics', () => {
  afterEach(async () => {
    for (const listener of running.splice(0)) await listener.stop()
  })

  it('answers its path, with the media type of the format', async () => {
    const port = await listen()
    const { status, headers, text } = await get(port)
    expect(status).to.equal(200)
    expect(headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8')
    expect(parseExposition(text).has('rystra_proxy_streams')).to.equal(true)
    expect((await get(port, { path: '/metrics?name=x' })).status).to.equal(200)
    expect(await get(port, { method: 'HEAD' })).to.include({ status: 200, text: '' })
  })

  it('refuses another path, another method, and a name that a web page may have pointed here', async () => {
    const port = await listen({ hosts: ['Metrics.example'] })
    expect((await get(port, { path: '/' })).status).to.equal(404)
    expect(await get(port, { method: 'POST' })).to.have.property('status', 405)
    expect((await get(port, { headers: { host: 'evil.example' } })).status).to.equal(421)
    for (const host of ['localhost', `localhost:${port}`, '[::1]:9464', '10.0.0.1:80', 'metrics.example:9464'])
      expect((await get(port, { headers: { host } })).status, host).to.equal(200)
  })

  it('wants its token, if it has one', async () => {
    const port = await listen({ token })
    const none = await get(port)
    expect(none.status).to.equal(401)
    expect(none.headers['www-authenticate']).to.equal('Bearer')
    expect(none.text).not.to.include('rystra_')
    expect((await get(port, { headers: { authorization: `Bearer ${token}x` } })).status).to.equal(401)
    expect((await get(port, { headers: { authorization: `Bearer ${token}` } })).status).to.equal(200)
  })

  it('answers others while one scraper does not read', async () => {
    const port = await listen({}, 10_000)
    const silent = net.connect(port, '127.0.0.1')
    await once(silent, 'connect')
    silent.pause()
    silent.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const { status, text } = await get(port)
    expect(status).to.equal(200)
    expect(text.length).to.be.greaterThan(1_000_000)
    silent.destroy()
  })

  it('closes connections that speak no HTTP, and goes on', async () => {
    const port = await listen()
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('\x16\x03\x01\x00garbage\r\n\r\n')
    await once(socket.resume(), 'close')
    expect((await get(port)).status).to.equal(200)
  })

  it('shares its port with its successor, which answers', async () => {
    const ports = new SharedPorts()
    const port = await listen({}, 1, ports)
    expect((await get(port, { path: '/new' })).status).to.equal(404)
    await listen({ port, path: '/new' }, 1, ports)
    expect((await get(port, { path: '/new' })).status).to.equal(200)
    await running.shift()?.stop()
    expect((await get(port, { path: '/new' })).status).to.equal(200)
  })

  it('says which address it cannot have', async () => {
    const port = await listen()
    const registry = new MetricsRegistry(runtimeWith({}), metricsWith([]), defaults)
    const settings = { host: '127.0.0.1', port, path: '/metrics', hosts: [] }
    const second = new MetricsListener(settings, registry, silentLog, new SharedPorts())
    const error = await second.start().then(
      () => undefined,
      (reason: unknown) => reason
    )
    expect(isRystraError(error) && error.code).to.equal('listen.in-use')
    expect((error as Error).message).to.include(`127.0.0.1:${port}`)
  })
})
