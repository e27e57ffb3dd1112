import { once } from 'node:events'
import { expect } from 'chai'
import {
  cleanUp as cleanUpProxies,
  httpProxy,
  type ProxyOptions,
  socksProxy,
  type TestProxy
} from '../../framework/net/test/proxies.js'
import {
  ask,
  cleanUp,
  echo,
  failure,
  makeClient,
  portOf,
  startClient,
  startServer,
  startService,
  visitorPort
} from './tunnel.js'

/** A name that no resolver knows: the client reaches the server by the proxy, or not at all. */
const name = 'tunnel.invalid'

const makers: readonly (readonly [string, (options: ProxyOptions) => Promise<TestProxy>])[] = [
  ['http', httpProxy],
  ['socks5h', socksProxy]
]

describe('a client behind a proxy', () => {
  afterEach(async () => {
    await cleanUp()
    await cleanUpProxies()
  })

  const connectTo = (port: number, proxy: string, muxer = 'yamux') => ({
    connect: { transport: 'tcp', host: name, port, muxer, proxy }
  })

  for (const [scheme, start] of makers) {
    for (const muxer of ['yamux', 'direct'])
      it(`tunnels by ${scheme} with credentials, with the muxer ${muxer}, and comes back through it`, async () => {
        const credentials = { user: 'ann', password: 'p@ss:w/rd' }
        const proxy = await start({ credentials, names: [name] })
        const server = await startServer()
        const service = await startService(echo)
        const url = `${scheme}://ann:${encodeURIComponent(credentials.password)}@127.0.0.1:${proxy.port}`
        const client = await startClient(
          portOf(server),
          [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${service}` }],
          connectTo(portOf(server), url, muxer)
        )
        expect(await ask(visitorPort(client, 'svc'), 'hello'.repeat(50_000))).to.equal('hello'.repeat(50_000))
        expect(proxy.targets[0]).to.equal(`${name}:${portOf(server)}`)
        const before = proxy.targets.length
        const back = once(client, 'published')
        proxy.cut()
        await back
        expect(await ask(visitorPort(client, 'svc'), 'again')).to.equal('again')
        expect(proxy.targets.length).to.be.above(before)
        expect(new Set(proxy.targets)).to.deep.equal(new Set([`${name}:${portOf(server)}`]))
      })

    it(`is told that ${scheme} wants other credentials, and tries no more`, async () => {
      const proxy = await start({ credentials: { user: 'ann', password: 'right' }, names: [name] })
      const client = await makeClient(1, [], connectTo(1, `${scheme}://ann:wr0ng@127.0.0.1:${proxy.port}`))
      const error = await failure(client.start())
      expect(error.code).to.equal('connect.proxy-auth')
      expect(error.message).to.contain(`127.0.0.1:${proxy.port}`).and.not.to.contain('wr0ng')
    })
  }

  it('is told where its proxy is misspelt, and not what the password is', async () => {
    for (const proxy of ['htp://ann:s3cret@proxy:1', 'ann:s3cret@proxy:1']) {
      const error = await failure(makeClient(1, [], connectTo(1, proxy)))
      expect(error.code).to.equal('config.invalid')
      expect(error.message).to.contain('client.connect.proxy: expected `none`, or the address of a proxy like http://')
      expect(error.message).not.to.contain('s3cret')
    }
  })
})
