import adminHttp from '@rystra/admin-http'
import { adminSocketPath } from '@rystra/admin-http/socket'
import { type Explanation, type Logger, type RuntimeEvent, type RystraError, silentLog } from '@rystra/plugin'
import { expect } from 'chai'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { AdminApi } from '../../cli/src/admin/admin-api.js'
import { eventText } from '../../cli/src/admin/event-text.js'
import { theProxy, theSessions } from '../../cli/src/admin/lookup.js'
import { statusOf, statusText } from '../../cli/src/admin/status.js'
import { ClusterWorld } from './cluster-world.js'
import { cleanUp, echo, failure, portOf, startClient, startServer, startService, until, visitorPort } from './tunnel.js'

describe('the administration of one server of a cluster', () => {
  afterEach(cleanUp)

  const start = async (world: ClusterWorld, name: string, admin: object = {}) => {
    const stateDir = world.file(name)
    const lines: { readonly text: string; readonly fields: object }[] = []
    const add = (fields: unknown, text?: string): void =>
      void lines.push({ text: String(text), fields: Object(fields) })
    const log: Logger = { ...silentLog, info: add, child: () => log }
    const server = await world.start(name, { extensions: [adminHttp(admin)], options: { stateDir, log } })
    return { server, lines, api: new AdminApi({ kind: 'unix', path: adminSocketPath(stateDir, 'server') }) }
  }

  const two = async () => {
    const world = await ClusterWorld.open()
    const [a, b] = [await start(world, 'a'), await start(world, 'b')]
    const local = await startService(echo)
    const accept = { hosts: ['127.0.0.1'], ports: ['1024-65535'], kinds: ['tcp', 'http'] }
    const client = await startClient(portOf(a.server), [{ name: 'web', kind: 'tcp', local, port: 0 }], {
      id: 'office',
      accept
    })
    await until(() => [...(b.server.runtime.cluster?.proxies() ?? [])].length === 1, 'the proxy to be known at b')
    await until(() => b.server.runtime.cluster?.ofClient('office')[Symbol.iterator]().next().done === false)
    return { a, b, port: visitorPort(client, 'web') }
  }

  it('tells its events from those of the other servers', async () => {
    const { a, b } = await two()
    const names = ({ server }: typeof a): unknown[] => [
      ...new Set(server.runtime.events.since(0)?.map(({ member }) => member))
    ]
    expect([names(a), names(b)]).to.deep.equal([['a'], ['b']])
    const opened = a.server.runtime.events.since(0)?.find(({ type }) => type === 'session.opened') as RuntimeEvent
    expect(eventText(opened.type, { ...opened })).to.match(/ {2}a {2}session of /)
    expect(statusText(await statusOf(b.api))).to.match(/^The server b has run/)
  })

  it('reads and ends sessions of another server, with the caller in the log of both', async () => {
    const { a, b } = await two()
    const { id } = await b.api
      .list<{ id: string; client: string; member: string }>('/v1/cluster/sessions')
      .then(([first]) => first as { id: string })
    for (const word of ['office', id, 'home']) {
      expect((await theSessions(b.api, word, false)).map((one) => [one.id, one.client])).to.deep.equal([[id, 'office']])
    }
    expect(await failure(theSessions(b.api, 'other', false)))
      .to.have.property('hint')
      .that.includes('rystra clients')
    const closed = new Promise<RystraError | undefined>((resolve) => {
      a.server.once('disconnected', (_session, error) => resolve(error))
    })
    await b.api.request(`/v1/sessions/${id}`, { method: 'DELETE' })
    expect((await closed)?.detail).to.equal('ended by an administrator (local at b)')
    const changes = [a, b].map(({ lines }) =>
      lines.filter(({ text }) => text === 'admin change').map(({ fields }) => fields)
    )
    expect(changes[1]?.[0]).to.include({
      caller: 'local',
      scope: 'admin',
      method: 'DELETE',
      path: `/v1/sessions/${id}`
    })
    expect(changes[0]?.[0]).to.include({ caller: 'local at b', scope: 'admin', from: 'cluster', status: 204 })
  })

  it('adds a proxy to a client of another server, and takes it back', async () => {
    const { a, b } = await two()
    const spec = { name: 'more', kind: 'tcp', local: await startService(echo) }
    const added = await b.api.request<{ id: string; address: string }>('/v1/proxies', {
      method: 'POST',
      body: { spec, session: 'office' }
    })
    expect(a.server.proxies.map(({ spec: { name } }) => name).sort()).to.deep.equal(['more', 'web'])
    expect((await theProxy(b.api, added.id)).id).to.equal(added.id)
    await b.api.request(`/v1/proxies/${encodeURIComponent(added.id)}`, { method: 'DELETE' })
    await until(() => a.server.proxies.length === 1, 'the proxy to be taken back')
    const refused = await failure(
      b.api.request('/v1/proxies', { method: 'POST', body: { spec: { ...spec, kind: 'http' }, session: 'office' } })
    )
    expect([refused.code, refused.message]).to.satisfy(
      ([code, message]: string[]) => code === 'proxy.unknown-kind' && message?.includes('at the server a')
    )
  })

  it('does for another server what the scope of its caller allows, and only if the configuration lets it', async () => {
    const world = await ClusterWorld.open()
    const a = await start(world, 'a')
    await start(world, 'b', { forwarded: false })
    const cluster = a.server.runtime.cluster
    await until(() => a.server.runtime.stats().cluster?.members.length === 2, 'b to be known')
    const kick = { method: 'DELETE', url: '/v1/sessions/x', name: 'eve', scope: 'admin' }
    const rejected = async (member: string, body: object): Promise<string> =>
      (await failure(cluster?.request(member, 'admin', body as never) as Promise<unknown>)).code
    expect(await rejected('b', kick)).to.equal('channel.unknown')
    const c = await start(world, 'c')
    const ask = (body: object) => c.server.runtime.cluster?.request('a', 'admin', body as never)
    await until(() => c.server.runtime.stats().cluster?.members.length === 3, 'all to be known')
    expect(await ask({ ...kick, scope: 'read' })).to.have.property('status', 403)
    expect(await ask(kick)).to.have.property('status', 404)
    for (const body of [
      {},
      { ...kick, url: '/v1/reload' },
      { ...kick, url: '/v1/sessions/\\..\\..\\log-level' },
      { ...kick, url: '/v1/sessions\t/../log-level' },
      { ...kick, method: 'PUT' },
      { ...kick, scope: 'root' },
      { ...kick, url: 7 }
    ])
      expect((await failure(ask(body) as Promise<unknown>)).code).to.equal('protocol.malformed')
  })

  it('keeps proxies that were added for its clients apart, also where servers share a state folder', async () => {
    const world = await ClusterWorld.open()
    const stateDir = world.file('shared')
    const start = async (name: string) => {
      const server = await world.start(name, { options: { stateDir } })
      const accept = { hosts: ['127.0.0.1'], ports: ['1024-65535'], kinds: ['tcp'] }
      await startClient(portOf(server), [], { id: `client-of-${name}`, accept })
      const local = await startService(echo)
      await server.runtime.control.addProxy({ name, kind: 'tcp', local }, `client-of-${name}`, { persist: true })
      return server
    }
    for (const name of ['a', 'b']) await start(name)
    for (const name of ['a', 'b']) {
      const kept = await readFile(path.join(stateDir, 'server', `pushed-proxies.${name}.json`), 'utf8')
      const { proxies } = JSON.parse(kept) as { proxies: { spec: { name: string } }[] }
      expect(proxies.map(({ spec }) => spec.name)).to.deep.equal([name])
    }
  })

  it('keeps them apart by the name of the process, where several share a folder without a cluster', async () => {
    const world = await ClusterWorld.open()
    const stateDir = world.file('shared')
    for (const member of ['1', '2']) {
      const server = await startServer({}, [], { stateDir, member })
      const accept = { hosts: ['127.0.0.1'], ports: ['1024-65535'], kinds: ['tcp'] }
      await startClient(portOf(server), [], { id: 'office', accept })
      const spec = { name: `of-${member}`, kind: 'tcp', local: await startService(echo) }
      await server.runtime.control.addProxy(spec, 'office', { persist: true })
    }
    for (const member of ['1', '2']) {
      const kept = await readFile(path.join(stateDir, 'server', `pushed-proxies.${member}.json`), 'utf8')
      expect(kept)
        .to.include(`of-${member}`)
        .and.not.include(`of-${3 - Number(member)}`)
    }
  })

  it('explains the way to a service through another server', async () => {
    const { a, b, port } = await two()
    const explain = ({ server }: typeof a): Promise<Explanation> =>
      server.runtime.explain(`127.0.0.1:${port}`, { probe: true })
    const [here, there] = [await explain(a), await explain(b)]
    for (const one of [here, there]) {
      expect(one.reaches, JSON.stringify(one.steps)).to.equal(true)
      expect(one.proxies.map(({ name }) => name)).to.deep.equal(['web'])
      expect(one.steps.at(-1)).to.include({ stage: 'service', outcome: 'ok' })
    }
    const client = ({ steps }: Explanation) => steps.find(({ stage }) => stage === 'client')?.text
    expect(client(there)).to.include('is connected to the server a from')
    expect(client(here)).not.to.include('to the server')
  })
})
