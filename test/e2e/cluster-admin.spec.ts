import adminHttp from '@rystra/admin-http'
import { adminSocketPath } from '@rystra/admin-http/socket'
import type { Explanation, RuntimeEvent } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { AdminApi } from '../../cli/src/admin/admin-api.js'
import { eventText } from '../../cli/src/admin/event-text.js'
import { theSessions } from '../../cli/src/admin/lookup.js'
import { statusOf, statusText } from '../../cli/src/admin/status.js'
import { ClusterWorld } from './cluster-world.js'
import { cleanUp, echo, failure, portOf, startClient, startService, until, visitorPort } from './tunnel.js'

describe('the administration of one server of a cluster', () => {
  afterEach(cleanUp)

  const start = async (world: ClusterWorld, name: string): Promise<{ server: Server; api: AdminApi }> => {
    const stateDir = world.file(name)
    const server = await world.start(name, { extensions: [adminHttp], options: { stateDir } })
    return { server, api: new AdminApi({ kind: 'unix', path: adminSocketPath(stateDir, 'server') }) }
  }

  const two = async () => {
    const world = await ClusterWorld.open()
    const [a, b] = [await start(world, 'a'), await start(world, 'b')]
    const local = await startService(echo)
    const client = await startClient(portOf(a.server), [{ name: 'web', kind: 'tcp', local, port: 0 }], { id: 'office' })
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

  it('says at which server a client is that it does not have', async () => {
    const { a, b } = await two()
    const [session] = await theSessions(a.api, 'office', false)
    for (const word of ['office', session?.id ?? '', 'home']) {
      const error = await failure(theSessions(b.api, word, false))
      expect([error.code, error.hint]).to.satisfy(
        ([code, hint]: string[]) => code === 'control.not-found' && hint?.includes('connected to the server a')
      )
    }
    expect(await failure(theSessions(b.api, 'other', false)))
      .to.have.property('hint')
      .that.includes('rystra clients')
    const byId = await failure(b.api.request(`/v1/sessions/${session?.id}`, { method: 'DELETE' }))
    expect([byId.code, byId.hint]).to.deep.equal(['control.not-found', 'the server a has it: ask there'])
    const push = await failure(b.server.runtime.control.addProxy({ name: 'x', kind: 'tcp' }, 'office', {}))
    expect([push.code, push.hint]).to.deep.equal(['control.not-found', 'it is connected to the server a: do it there'])
    const others = await b.api.list<{ client: string; member: string }>('/v1/cluster/sessions')
    expect(others.map(({ client, member }) => [client, member])).to.deep.equal([['office', 'a']])
    expect(a.server.sessions.length, 'nothing was ended').to.equal(1)
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
