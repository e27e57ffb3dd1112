import hookAcl from '@rystra/hook-acl'
import hookRate from '@rystra/hook-rate'
import { defineExtension } from '@rystra/plugin'
import type { ExplainOptions, Explanation, Runtime } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ask, frontPort, httpPreset, mirror, startHttpClient, startHttpServer, startHttpService } from './http-world.js'
import { cleanUp, echo, later, portOf, startClient, startServer, startService, visitorPort } from './tunnel.js'

const outcomes = ({ steps }: Explanation): string[] => steps.map(({ stage, outcome }) => `${stage} ${outcome}`)

/** The steps that failed, with their hints. */
const failure = ({ steps }: Explanation): string =>
  steps
    .filter(({ outcome }) => outcome === 'fail')
    .map(({ stage, text, hint }) => `${stage}: ${text} ${hint}`)
    .join('; ')

describe('why a visitor is served or not', () => {
  afterEach(cleanUp)

  const world = async () => {
    const rate = hookRate({ rules: [{ per: 'visitor', requests: '1/h', burst: '1h' }] })
    const acl = hookAcl({ default: 'allow', denyVisitors: ['198.51.100.0/24'] })
    const server = await startHttpServer({ baseDomain: 'example.org' }, [rate, acl])
    const service = await startHttpService(mirror)
    const raw = await startService(echo)
    const client = await startHttpClient(server, [
      { name: 'app', kind: 'http', local: service.port, host: 'app.example.org' },
      { name: 'api', kind: 'http', local: service.port, host: 'paths.example.org', path: '/api' },
      { name: 'wide', kind: 'http', local: service.port, host: '*.wide.example.org' },
      { name: 'db', kind: 'tcp', local: raw }
    ])
    const web = frontPort(client, 'app')
    const explain = (target: string, options?: ExplainOptions): Promise<Explanation> =>
      server.runtime.explain(target, options)
    return { server, client, service, web, explain }
  }

  it('follows the way to the service: exact hosts, wildcards, paths and ports', async () => {
    const { web, explain, client } = await world()
    const app = await explain(`http://app.example.org:${web}/x?y`, { probe: true, from: '203.0.113.9' })
    expect(outcomes(app), failure(app)).deep.equal([
      // Loopback, and the name is another.
      'listener warn',
      'route ok',
      'proxy ok',
      'client ok',
      'taps ok',
      'service ok'
    ])
    expect(app.reaches).equal(true)
    expect(app.proxies.map(({ name }) => name)).deep.equal(['app'])
    expect(app.target).deep.equal({ scheme: 'http', host: 'app.example.org', port: web, path: '/x' })
    const wide = await explain(`ws://a.b.wide.example.org:${web}`)
    expect(wide.steps[1]?.text).include('by the wildcard *.wide.example.org')
    expect(outcomes(wide)).include('service skip')
    const api = await explain(`http://paths.example.org:${web}/api/v1`)
    expect(api.steps[1]?.text).include('at the path /api')
    const db = await explain(`127.0.0.1:${visitorPort(client, 'db')}`, { probe: true })
    expect(db.proxies.map(({ name }) => name)).deep.equal(['db'])
    expect(outcomes(db)).include.members(['route ok', 'service ok', 'taps skip'])
  })

  it('says which port is whose, which names are near, and which paths there are', async () => {
    const { web, explain, server } = await world()
    expect(failure(await explain('http://app.example.org:9'))).match(/^listener: .* port 9 for http\..*app|web|127/)
    expect(failure(await explain(`127.0.0.1:${portOf(server)}`))).include('is where clients connect (tcp://127.0.0.1')
    const near = failure(await explain(`http://aap.example.org:${web}/`))
    expect(near).include('No proxy of the kind http has the host aap.example.org.')
    expect(near).include('published are app.example.org')
    expect(failure(await explain(`http://paths.example.org:${web}/other`))).include('there is /api')
    expect(failure(await explain(`https://app.example.org:${web}`))).include('for https')
  })

  it('lets the taps answer for an address, in their order, and counts nothing', async () => {
    const { web, explain } = await world()
    const target = `http://app.example.org:${web}`
    const denied = await explain(target, { from: '198.51.100.7' })
    expect(failure(denied)).match(/^taps: hook-acl refuses 198\.51\.100\.7 in onRequest: visitors of this network/)
    expect(denied.taps.map(({ hook, extension }) => `${hook} ${extension}`)).deep.equal([
      'onRequest hook-rate',
      'onRequest hook-acl',
      'onOpenStream hook-acl'
    ])
    for (let turn = 0; turn < 3; turn += 1) expect((await explain(target, { from: '127.0.0.1' })).reaches).equal(true)
    expect((await ask(web, 'app.example.org')).status).equal(200)
    const limited = await explain(target, { from: '127.0.0.1' })
    expect(failure(limited)).match(/^taps: hook-rate refuses 127\.0\.0\.1 in onRequest for \d+ s: too many requests/)
    expect((await explain(target, { from: '203.0.113.9' })).reaches).equal(true)
  })

  it('says that the client went, and when; and that a service is down', async () => {
    const { web, explain, client, service, server } = await world()
    const target = `http://app.example.org:${web}`
    service.server.closeAllConnections()
    service.server.close()
    const down = await explain(target, { probe: true })
    expect(failure(down)).match(/^service: The service was not reached: .*app/)
    const own = await client.runtime.explain(target, { probe: true })
    expect(failure(own)).match(/^service: The service was not reached: .*ECONNREFUSED/)
    await client.stop({ drain: 0 })
    await until(() => server.runtime.stats().sessions === 0)
    expect(failure(await explain(target))).match(/client: The proxy app .* at 20.* with the session of the client test/)
    expect(outcomes(await explain(target))).deep.equal(['listener warn', 'route fail', 'client fail'])
  })

  it('is answered by a client for its own proxies, also for those that were refused', async () => {
    const shut = defineExtension({
      name: 'shut',
      setup({ hooks }) {
        hooks.onRegisterProxy.tap(({ name }) => (name === 'bad' ? { deny: 'a bad name' } : undefined))
        hooks.onOpenStream.tap(({ visitor }) => (visitor.host === '127.0.0.1' ? { deny: 'not from here' } : undefined))
      }
    })
    const server = await startHttpServer({}, [shut()])
    const service = await startHttpService(mirror)
    const client = await startHttpClient(server, [
      { name: 'app', kind: 'http', local: service.port, host: 'app.example.org' },
      { name: 'bad', kind: 'http', local: service.port, host: 'bad.example.org' }
    ])
    const web = frontPort(client, 'app')
    const own = await client.runtime.explain(`http://app.example.org:${web}`, { probe: true, from: '127.0.0.1' })
    expect(own).deep.include({ side: 'client', reaches: true })
    expect(failure(await client.runtime.explain(`http://x.example.org:${web}`))).include('No proxy of this client')
    const refused = failure(await server.runtime.explain(`http://bad.example.org:${web}`))
    expect(refused).include('No proxy of the kind http has the host bad.example.org')
    expect((await ask(web, 'app.example.org')).status).equal(403)
    const past = await server.runtime.explain(`http://app.example.org:${web}`, { from: '127.0.0.1' })
    expect(past.refusals[0]).include({ code: 'stream.refused' })
    expect(past.refusals[0]?.message).include('not from here')
    expect(outcomes(past)).include('taps skip')
  })

  it('tells TLS that passes through from TLS that ends here', async () => {
    const stateDir = mkdtempSync(path.join(tmpdir(), 'rystra-explain-'))
    later(() => rmSync(stateDir, { recursive: true, force: true }))
    const listen = [{ host: '127.0.0.1', port: 0 }]
    const server = await startServer(
      {},
      [proxyHttp({ listen }), proxyHttps({ listen, certificates: [{ hosts: ['ends.example.org'] }] })],
      { preset: [...httpPreset, proxyHttps], stateDir }
    )
    const service = await startHttpService(mirror)
    const client = await startClient(
      portOf(server),
      [
        { name: 'ends', kind: 'http', local: service.port, host: 'ends.example.org' },
        { name: 'own', kind: 'https', local: service.port, host: 'own.example.org' }
      ],
      {},
      [],
      { preset: [...httpPreset, proxyHttps] }
    )
    const port = frontPort(client, 'own')
    const ends = await server.runtime.explain(`https://ends.example.org:${port}`)
    expect(ends.steps[1]?.text).equal('TLS of ends.example.org ends here; the kind http takes the request.')
    expect(ends.proxies.map(({ name }) => name)).deep.equal(['ends'])
    const own = await server.runtime.explain(`https://own.example.org:${port}`)
    expect(own.proxies.map(({ name }) => name)).deep.equal(['own'])
    expect(failure(await server.runtime.explain(`https://app.example.org:${port}`))).include('of the kind https')
  })

  it('refuses what is no target, and no address', async () => {
    const server = await startHttpServer()
    const codeOf = (runtime: Runtime, target: string, from?: string): Promise<string> =>
      runtime.explain(target, from === undefined ? {} : { from }).then(
        () => 'answered',
        (error: { code: string }) => error.code
      )
    const targets = [
      'ftp://x',
      'http://',
      'http://u:p@x/',
      '127.0.0.1:99999',
      'a b',
      '\u202e',
      'x'.repeat(3000),
      'tcp://x'
    ]
    for (const target of targets) expect(await codeOf(server.runtime, target), target).equal('usage.invalid')
    expect(await codeOf(server.runtime, 'http://x.org', 'x.org')).equal('usage.invalid')
  })
})
