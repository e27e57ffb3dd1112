import { once } from 'node:events'
import { defineExtension } from '@rystra/plugin'
import { expect } from 'chai'
import {
  ask,
  cleanUp,
  echo,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  svc,
  visit,
  visitorPort
} from './tunnel.js'

describe('a reload', () => {
  afterEach(cleanUp)

  const stamp = (text: string) =>
    defineExtension({
      name: 'stamp',
      setup: ({ hooks }) =>
        hooks.onData.tap((chunk, { direction }) =>
          direction === 'toService' ? Buffer.concat([chunk, Buffer.from(text)]) : undefined
        )
    })

  it('leaves streams in the generation they began in, and gives new ones the new', async () => {
    const server = await startServer({}, [stamp('-1')()])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const port = visitorPort(client, 'svc')
    const old = await visit(port)
    old.write('a')
    expect((await once(old, 'data')).toString()).to.equal('a-1')
    const report = await server.reload(serverConfig({}, [stamp('-2')()]))
    expect(report.added).to.deep.equal(['stamp'])
    expect(report.kept).to.include('auth-token')
    expect(await ask(port, 'b')).to.equal('b-2')
    old.write('c')
    expect((await once(old, 'data')).toString()).to.equal('c-1')
    expect(client.session).not.to.equal(undefined)
  })

  it('that cannot be done leaves everything as it was', async () => {
    const server = await startServer({}, [stamp('-1')()])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const taken = await startService(echo)
    const broken = serverConfig({ listen: [{ transport: 'tcp', host: '127.0.0.1', port: taken }] }, [stamp('-2')()])
    const error = await server.reload(broken).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.include({ code: 'listen.in-use' })
    expect(await ask(visitorPort(client, 'svc'), 'a')).to.equal('a-1')
    expect(server.listening).to.have.length(1)
  })

  it('takes back what is no longer allowed, and tells the client', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const port = visitorPort(client, 'svc')
    const gone = once(client, 'unpublished')
    await server.reload(serverConfig({ publish: { ports: [port === 2000 ? 2001 : 2000] } }))
    const [, error] = await gone
    expect(error.code).to.equal('proxy.port-not-allowed')
  })

  it('moves public ports off addresses that are no longer published on, and the client is sent the new address', async () => {
    const server = await startServer({ publish: { host: '0.0.0.0' } })
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    expect(server.proxies[0]?.address).to.match(/^0\.0\.0\.0:/)
    const port = visitorPort(client, 'svc')
    const moved = once(client, 'published')
    await server.reload(serverConfig({ publish: { host: '127.0.0.1' } }))
    const [proxy] = await moved
    expect(proxy).to.include({ name: 'svc', changed: true })
    expect(server.proxies[0]?.address).to.equal(`127.0.0.1:${port}`)
    expect(visitorPort(client, 'svc')).to.equal(port)
    expect(await ask(port, 'here')).to.equal('here')
  })

  it('of the client keeps the session and the proxies that did not change', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service, 'stays'), svc(service, 'goes')])
    const session = client.session?.id
    const stays = visitorPort(client, 'stays')
    const { clientConfig } = await import('./tunnel.js')
    const published = once(client, 'published')
    await client.reload(clientConfig(portOf(server), [svc(service, 'stays'), svc(service, 'comes')]))
    await published
    expect(client.session?.id).to.equal(session)
    expect(visitorPort(client, 'stays')).to.equal(stays)
    expect(client.proxies.map(({ name }) => name)).to.have.members(['stays', 'comes'])
    expect(await ask(visitorPort(client, 'comes'), 'new')).to.equal('new')
  })
})
