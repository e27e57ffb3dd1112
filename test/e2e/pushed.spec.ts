import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import type { ProxyHandle } from '@rystra/plugin'
import {
  ask,
  cleanUp,
  clientConfig,
  echo,
  failure,
  later,
  listens,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  until,
  visit
} from './tunnel.js'

const accept = { hosts: ['127.0.0.1'], ports: ['1024-65535'], kinds: ['tcp'] }

const portIn = ({ info }: ProxyHandle): number => Number(info.address?.split(':').at(-1))

describe('proxies that the server adds', () => {
  afterEach(cleanUp)

  const folder = async (): Promise<string> => {
    const stateDir = await mkdtemp(path.join(tmpdir(), 'rystra-'))
    later(() => rm(stateDir, { recursive: true }))
    return stateDir
  }

  const world = async (client: Parameters<typeof startClient>[2] = { accept }) => {
    const stateDir = await folder()
    const server = await startServer({}, [], { stateDir })
    const local = await startService(echo)
    const joined = await startClient(portOf(server), [], client)
    return { server, client: joined, local, stateDir, control: server.runtime.control }
  }

  it('are published by a client that accepts them, shown with what added them, and removed', async () => {
    const { server, client, local, control } = await world()
    const handle = await control.addProxy({ name: 'x', kind: 'tcp', local }, 'test', { by: 'alice' })
    expect(await ask(portIn(handle), 'hello')).to.equal('hello')
    expect(handle.info).to.include({ state: 'published', origin: 'server', by: 'alice' })
    expect(client.runtime.proxy('x')?.info).to.include({ state: 'published', origin: 'server', by: 'alice' })
    expect([...server.runtime.proxies()]).to.deep.equal([handle])
    const { items } = await control.plan(serverConfig())
    expect(items.find(({ subject }) => subject === 'proxy')).to.include({
      action: 'keep',
      name: 'test/x',
      detail: 'added by alice'
    })
    await control.removeProxy(handle.id)
    expect(await listens(portIn(handle))).to.equal(false)
    await until(() => client.runtime.proxy('x') === undefined, 'the client has forgotten it')
    expect((await failure(control.removeProxy(handle.id))).code).to.equal('control.not-found')
  })

  for (const [what, spec, accepts, code] of [
    ['a client that accepts nothing', {}, undefined, 'proxy.not-accepted'],
    ['another host', { local: '127.0.0.2:80' }, accept, 'proxy.not-accepted'],
    ['another kind', {}, { ...accept, kinds: ['udp'] }, 'proxy.not-accepted'],
    ['another port', {}, { ...accept, ports: [1] }, 'proxy.not-accepted'],
    ['a range of which one port is not accepted', { local: '127.0.0.1:1023-1025' }, accept, 'proxy.not-accepted'],
    ['more than the client takes', { local: '127.0.0.1:2000-2002' }, { ...accept, max: 2 }, 'proxy.limit'],
    ['a port that the server does not publish', { port: 80 }, accept, 'proxy.port-not-allowed'],
    ['a field that the kind does not have', { no: 1 }, accept, 'proxy.invalid'],
    ['a kind that is not registered', { kind: 'no' }, accept, 'proxy.unknown-kind']
  ] as const) {
    it(`are refused by a code, and leave nothing behind: ${what}`, async () => {
      const { server, client, local, control } = await world(accepts === undefined ? {} : { accept: accepts })
      const added = control.addProxy({ name: 'x', kind: 'tcp', local, ...spec }, 'test', { persist: true })
      expect((await failure(added)).code).to.equal(code)
      expect([...server.runtime.proxies(), ...client.runtime.proxies()]).to.deep.equal([])
      await client.stop()
    })
  }

  it('keep their names apart: those of the client go first', async () => {
    const { client, server, local, control } = await world()
    const twice = { name: 'x', kind: 'tcp', local }
    await control.addProxy(twice, 'test')
    expect((await failure(control.addProxy(twice, 'test'))).code).to.equal('proxy.name-taken')
    await client.publish({ name: 'x', kind: 'tcp', local })
    expect(client.runtime.proxy('x')?.info.origin).to.equal('program')
    await control.addProxy({ ...twice, name: 'y' }, 'test')
    await client.reload(clientConfig(portOf(server), [{ name: 'y', kind: 'tcp', local }], { accept }))
    await until(() => client.runtime.proxy('y')?.info.state === 'published', 'that of the configuration is published')
    expect(client.runtime.proxy('y')?.info.origin).to.equal('configuration')
    expect((await failure(control.addProxy({ ...twice, name: 'y2' }, 'unknown'))).code).to.equal('control.not-found')
  })

  it('are there again after a restart of either end, when that was asked', async () => {
    const { server, client, local, stateDir, control } = await world()
    const port = portOf(server)
    await control.addProxy({ name: 'kept', kind: 'tcp', local }, 'test', { persist: true, by: 'alice' })
    await control.addProxy({ name: 'lost', kind: 'tcp', local }, 'test')
    await client.stop()
    await until(() => server.sessions.length === 0, 'the session is over')
    const [idle, ...others] = [...server.runtime.proxies()]
    expect(others).to.deep.equal([])
    expect(idle?.info).to.include({ state: 'idle', origin: 'server', by: 'alice' })
    expect(idle?.info.owner).to.deep.equal({ identity: 'home', client: 'test' })
    await startClient(port, [], { accept })
    await until(() => server.proxies.length === 1, 'the client that came back has it')
    await server.stop({ drain: 0 })

    const again = await startServer({ listen: [{ transport: 'tcp', host: '127.0.0.1', port }] }, [], { stateDir })
    await until(() => again.proxies.length === 1, 'the server that came back knows it')
    const [handle] = [...again.runtime.proxies()] as [ProxyHandle]
    expect(handle.info).to.include({ state: 'published', by: 'alice' })
    expect(await ask(portIn(handle), 'hello')).to.equal('hello')
    await again.runtime.control.removeProxy(handle.id)
    const kept = await readFile(path.join(stateDir, 'server', 'pushed-proxies.json'), 'utf8')
    expect(JSON.parse(kept)).to.deep.equal({ proxies: [] })
  })

  it('are removed while their client is away', async () => {
    const { server, client, local, control } = await world()
    await control.addProxy({ name: 'x', kind: 'tcp', local }, 'test', { persist: true })
    await client.stop()
    await until(() => server.sessions.length === 0, 'the session is over')
    const [idle] = [...server.runtime.proxies()] as [ProxyHandle]
    expect(server.runtime.proxy(idle.id)).to.equal(idle)
    await control.removeProxy(idle.id)
    const back = await startClient(portOf(server), [], { accept })
    await until(() => back.session !== undefined, 'it is back')
    expect([...server.runtime.proxies()]).to.deep.equal([])
  })

  it('are asked for again where they were refused for now, and shown with the reason', async () => {
    const { server, client, local, control } = await world()
    const handle = await control.addProxy({ name: 'x', kind: 'tcp', local }, 'test', { persist: true })
    const port = portIn(handle)
    await control.removeProxy(handle.id)
    await control.addProxy({ name: 'x', kind: 'tcp', local, port }, 'test', { persist: true })
    await client.stop()
    const other = await startClient(portOf(server), [{ name: 'o', kind: 'tcp', local, port }], { id: 'other' })
    await startClient(portOf(server), [], { accept })
    const ofTest = (): ProxyHandle | undefined =>
      [...server.runtime.proxies()].find(
        ({ info }) => info.owner?.client === 'test' || info.session?.client.id === 'test'
      )
    await until(() => ofTest()?.info.state === 'waiting', 'it waits')
    expect(ofTest()?.info.error?.code).to.equal('proxy.port-taken')
    other.unpublish('o')
    await until(() => ofTest()?.info.state === 'published', 'it is published again')
  })

  it('follow a reload of the client: what is not accepted any more is taken back, and open streams go on', async () => {
    const { server, client, local, control } = await world()
    const handle = await control.addProxy({ name: 'x', kind: 'tcp', local }, 'test')
    const visitor = await visit(portIn(handle))
    visitor.write('a')
    await once(visitor, 'data')
    await client.reload(clientConfig(portOf(server), [], { accept: { ...accept, ports: [1] } }))
    await until(() => server.proxies.length === 0, 'it is taken back')
    expect(await listens(portIn(handle))).to.equal(false)
    visitor.write('b')
    expect(String((await once(visitor, 'data'))[0])).to.equal('b')
    expect((await failure(control.addProxy({ name: 'y', kind: 'tcp', local }, 'test'))).code).to.equal(
      'proxy.not-accepted'
    )
  })

  it('that cannot be kept are not added, and a file that is broken is set aside', async () => {
    const { server, client, local, stateDir, control } = await world()
    const file = path.join(stateDir, 'server')
    await writeFile(file, 'no folder')
    const added = control.addProxy({ name: 'x', kind: 'tcp', local }, 'test', { persist: true })
    expect((await failure(added)).code).to.equal('extension.state')
    await until(() => server.proxies.length === 0 && client.proxies.length === 0, 'it is taken back')

    const other = await folder()
    await mkdir(path.join(other, 'server'))
    const kept = path.join(other, 'server', 'pushed-proxies.json')
    await writeFile(kept, '{"proxies":[{"owner":')
    const started = await startServer({}, [], { stateDir: other })
    expect([...started.runtime.proxies()]).to.deep.equal([])
    expect(await readFile(`${kept}.broken`, 'utf8')).to.equal('{"proxies":[{"owner":')
  })

  it('expire, and are not there again afterwards', async () => {
    const { server, local, control } = await world()
    await control.addProxy({ name: 'x', kind: 'tcp', local, expiresIn: 1000 }, 'test', { persist: true })
    await until(() => server.proxies.length === 0, 'it has expired')
    expect([...server.runtime.proxies()]).to.deep.equal([])
  })
})
