import { selfSigned } from '@rystra/certificates'
import type { Client } from '@rystra/client'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import type { Server } from '@rystra/server'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type net from 'node:net'
import { cleanUp, clientConfig, freePort, later, portOf, preset, serverConfig, startClient } from './tunnel.js'
import { visitors } from './change-world.js'

describe('options of web kinds that are changed by a reload of the server', () => {
  afterEach(cleanUp)

  const webConfig = (kind: 'http' | 'https', port: number, options: object) => {
    const listen = [{ host: '127.0.0.1', port }]
    const web =
      kind === 'http' ? proxyHttp({ listen, ...options }) : proxyHttps({ listen, redirectFrom: [], ...options })
    return serverConfig({}, [web])
  }

  const startReloadable = async (config: ReturnType<typeof serverConfig>): Promise<Server> => {
    const { createServer } = await import('@rystra/server')
    const server = await createServer(config, { preset })
    await server.start()
    later(() => server.stop({ drain: 0 }))
    return server
  }

  const get = (port: number, host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, agent: false, headers: { host } }, (answer) => {
        answer.resume().on('end', () => resolve(`${answer.statusCode}`))
      })
      request.on('error', reject)
    })

  it('http: hosts, base domain and listeners, without a moment of 404', async () => {
    const [port, other] = [await freePort(), await freePort()]
    const web = http.createServer((_request, response) => void response.end('hello')).listen(0, '127.0.0.1')
    await once(web, 'listening')
    later(() => web.closeAllConnections())
    later(() => web.close())
    const { createServer } = await import('@rystra/server')
    const { createClient } = await import('@rystra/client')
    const server: Server = await createServer(webConfig('http', port, { baseDomain: 'one.test' }), { preset })
    await server.start()
    later(() => server.stop({ drain: 0 }))
    const local = (web.address() as net.AddressInfo).port
    const config = clientConfig(portOf(server), [
      { name: 'app', kind: 'http', subdomain: 'app', host: 'app.test', local }
    ])
    const client: Client = await createClient(config, { preset: [...preset, proxyHttp] })
    await client.start()
    later(() => client.stop({ drain: 0 }))
    expect(client.proxies.map(({ address }) => address)).to.deep.equal([`http://app.test:${port}`])
    const stop = visitors(() => get(port, 'app.test'))
    for (const options of [
      { baseDomain: 'two.test' },
      { baseDomain: 'two.test', hosts: [{ identity: '*', hosts: ['*.test', 'app.two.test'] }] },
      { baseDomain: 'two.test', maxHeadSize: 20_000 }
    ]) {
      await server.reload(webConfig('http', port, options))
      expect(await get(port, 'app.two.test')).to.equal('200')
    }
    expect([...(await stop()).keys()]).to.deep.equal(['200'])
    expect(await get(port, 'app.one.test')).to.equal('404')
    await server.reload(webConfig('http', other, { baseDomain: 'three.test' }))
    expect(await get(other, 'app.three.test')).to.equal('200')
    await until(() => client.proxies[0]?.address === `http://app.test:${other}`, 'the client hears of its new address')
    const { problems, items } = await server.runtime.control.plan(
      webConfig('http', other, { baseDomain: 'three.test', hosts: [{ identity: 'other', hosts: ['x.test'] }] })
    )
    expect(problems).to.deep.equal([])
    expect(items.some(({ subject, name }) => subject === 'proxy' && name === 'test/app')).to.equal(true)
  })

  it('https: base domain, certificates and listeners, passed through and terminated, without an alert', async () => {
    const [port, other] = [await freePort(), await freePort()]
    const { cert, key } = await selfSigned({ commonName: 'app.test' })
    const secure = https.createServer({ cert, key }, (_request, response) => void response.end('passed'))
    const web = http.createServer((_request, response) => void response.end('terminated'))
    for (const one of [secure, web]) {
      await once(one.listen(0, '127.0.0.1'), 'listening')
      later(() => one.closeAllConnections())
      later(() => one.close())
    }
    const local = (one: net.Server): number => (one.address() as net.AddressInfo).port
    const configOf = (at: number, options: object) =>
      serverConfig({}, [
        proxyHttp({ listen: [] }),
        proxyHttps({
          listen: [{ host: '127.0.0.1', port: at }],
          redirectFrom: [],
          certificates: [{ hosts: ['web.test'] }],
          ...options
        })
      ])
    const server = await startReloadable(configOf(port, { baseDomain: 'one.test' }))
    const proxies = [
      { name: 'app', kind: 'https', subdomain: 'app', host: 'app.test', local: local(secure) },
      { name: 'web', kind: 'http', host: 'web.test', local: local(web) }
    ]
    const client = await startClient(portOf(server), proxies, {}, [proxyHttp(), proxyHttps()])
    expect(client.proxies[0]?.address).to.equal(`https://app.test:${port}`)
    const get = (at: number, servername: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const headers = { host: servername }
        const to = { host: '127.0.0.1', port: at, agent: false, servername, headers, rejectUnauthorized: false }
        const request = https.get(to, (answer) => {
          let text = ''
          answer.on('data', (chunk) => {
            text += String(chunk)
          })
          answer.on('end', () => resolve(text))
        })
        request.on('error', reject)
      })
    const stops = [visitors(() => get(port, 'app.test')), visitors(() => get(port, 'web.test'))]
    for (const options of [
      { baseDomain: 'two.test' },
      { baseDomain: 'two.test', hsts: { maxAge: 86_400 } },
      { baseDomain: 'two.test', certificates: [{ hosts: ['web.test', 'more.test'] }] },
      { baseDomain: 'two.test', handshakeTimeout: 9000, redirect: true }
    ]) {
      await server.reload(configOf(port, options))
      expect(await get(port, 'app.two.test'), JSON.stringify(options)).to.equal('passed')
    }
    const seen = await Promise.all(stops.map((stop) => stop()))
    expect(seen.map((one) => [...one.keys()])).to.deep.equal([['passed'], ['terminated']])
    await server.reload(configOf(other, { baseDomain: 'two.test' }))
    expect(await get(other, 'app.test')).to.equal('passed')
    await until(() => client.proxies[0]?.address === `https://app.test:${other}`, 'the client hears of its new address')
  })
})
