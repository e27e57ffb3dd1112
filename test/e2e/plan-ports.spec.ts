import net from 'node:net'
import { once } from 'node:events'
import adminHttp from '@rystra/admin-http'
import observePrometheus from '@rystra/observe-prometheus'
import proxyHttp from '@rystra/proxy-http'
import proxyPrivate from '@rystra/proxy-private'
import { expect } from 'chai'
import { cleanUp, clientConfig, freePort, later, portOf, serverConfig, startClient, startServer } from './tunnel.js'

const host = '127.0.0.1'
const metrics = (port: number) => observePrometheus({ listen: { host, port } } as never)
const web = (port: number) => proxyHttp({ listen: [{ host, port }] })

describe('a plan with ports of extensions', () => {
  afterEach(cleanUp)

  it('tries those that are new, and names what cannot be bound', async () => {
    const taken = net.createServer().listen(0, host)
    await once(taken, 'listening')
    later(() => taken.close())
    const { port } = taken.address() as net.AddressInfo
    const { runtime } = await startServer()
    const { problems } = await runtime.control.plan(serverConfig({}, [web(port)]))
    expect(problems.map(({ path, code }) => [path, code])).to.deep.equal([['extensions proxy-http', 'config.invalid']])
    expect(problems[0]?.reason).to.contain(`${host}:${port}`).and.contain('in use')
    const free = await freePort()
    expect((await runtime.control.plan(serverConfig({}, [web(free)]))).problems).to.deep.equal([])
    const probe = net.createServer().listen(free, host)
    await once(probe, 'listening')
    probe.close()
  })

  it('leaves those that listen already, and finds two that exclude each other', async () => {
    const [one, two] = [await freePort(), await freePort()]
    const server = await startServer({}, [metrics(one), web(two)])
    const plan = async (...extensions: NonNullable<Parameters<typeof serverConfig>[1]>) =>
      (await server.runtime.control.plan(serverConfig({}, extensions))).problems.map(({ reason }) => reason)
    expect(await plan(metrics(one), web(two))).to.deep.equal([])
    expect((await plan(metrics(two), web(two))).join()).to.match(/(proxy-http|observe-prometheus) has it/)
    const own = serverConfig({ listen: [{ transport: 'tcp', host, port: portOf(server) }] }, [metrics(portOf(server))])
    const { problems } = await server.runtime.control.plan(own)
    expect(problems[0]?.reason).to.contain('server.listen (tcp) has it')
  })

  it('of a client: those of its forwards, of each other, and those that are taken', async () => {
    const server = await startServer()
    const [one, two, free] = [await freePort(), await freePort(), await freePort()]
    const forwards = [{ name: 'db', kind: 'private', of: 'db', bind: `${host}:${one}` }]
    const client = await startClient(portOf(server), [], {}, [proxyPrivate(), metrics(two)])
    const plan = async (extensions: NonNullable<Parameters<typeof clientConfig>[3]>, more: object = {}) => {
      const config = clientConfig(portOf(server), [], more, [proxyPrivate(), ...extensions])
      return (await client.runtime.control.plan(config)).problems.map(({ path, reason }) => `${path}: ${reason}`)
    }
    expect(await plan([metrics(two)], { forwards })).to.deep.equal([])
    expect((await plan([metrics(one)], { forwards })).join()).to.match(
      /^extensions observe-prometheus: .*client\.forwards\[0\] has it/
    )
    expect((await plan([metrics(free), adminHttp({ listen: [{ host, port: free }], socket: false })])).join()).to.match(
      /^extensions admin-http: .*observe-prometheus has it/
    )
    expect((await plan([metrics(portOf(server))])).join()).to.match(/^extensions observe-prometheus: .*in use/)
    expect(await plan([metrics(free)])).to.deep.equal([])
  })
})
