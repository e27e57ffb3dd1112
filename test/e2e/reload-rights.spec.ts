import { once } from 'node:events'
import net from 'node:net'
import authToken from '@rystra/auth-token'
import type { RystraConfig } from '@rystra/config'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  endOf,
  failure,
  freePort,
  otherToken,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  token,
  until,
  visit,
  visitorPort
} from './tunnel.js'

/** The configuration with these tokens. */
const withTokens = (tokens: object[], server: RystraConfig['server'] = {}): RystraConfig => ({
  ...serverConfig(server as never),
  extensions: [authToken({ tokens } as never)]
})

describe('rights that a reload takes', () => {
  afterEach(cleanUp)

  const world = async () => {
    const server = await startServer()
    const local = await startService(echo)
    const proxies = [{ name: 'x', kind: 'tcp', local }]
    const home = await startClient(portOf(server), proxies, { id: 'home' })
    const office = await startClient(portOf(server), proxies, { id: 'office', token: otherToken })
    const visitor = await visit(visitorPort(home, 'x'))
    visitor.write('a')
    await once(visitor, 'data')
    return { server, home, office, visitor }
  }

  const office = { identity: 'office', token: otherToken }

  it('end the sessions of a token that is gone, once their streams are done, and no others; a plan tells before', async () => {
    const { server, home, office: other, visitor } = await world()
    const [stream] = [...server.runtime.streams()]
    const config = withTokens([office])
    const plan = await server.runtime.control.plan(config)
    expect(plan).to.include({ sessions: 1, streams: 1 })
    const cut = plan.items.find(({ subject }) => subject === 'session')
    expect(cut).to.deep.include({ action: 'remove', sessions: 1, streams: 1, cuts: [stream?.id] })
    const present = server.sessions
    const lost = once(home, 'disconnected')
    await server.reload(config)
    await until(() => server.proxies.every(({ session }) => session.client.id === 'office'), 'it takes no visitors')
    visitor.write('b')
    expect(String((await once(visitor, 'data'))[0]), 'its stream goes on').to.equal('b')
    visitor.destroy()
    expect((await lost)[1]).to.include({ code: 'auth.refused', side: 'server' })
    await until(() => server.sessions.length === 1, 'it is over')
    expect(server.sessions[0]).to.equal(present.find(({ client }) => client.id === 'office'))
    expect(other.session?.id).to.equal(server.sessions[0]?.id)
    expect(await server.runtime.control.plan(config)).to.include({ sessions: 0, streams: 0, same: true })
  })

  it('end streams that do not end by themselves after the drain time', async () => {
    const { server, visitor } = await world()
    const ended = endOf(visitor)
    await server.reload(withTokens([office], { drain: 50 }))
    expect(await ended).to.equal('ECONNRESET')
    await until(() => server.sessions.length === 1, 'it is over')
  })

  it('change where the token stays, and its session with it', async () => {
    const { server } = await world()
    const before = server.sessions
    await server.reload(withTokens([{ identity: 'home', token, rights: { role: 'guest' } }, office]))
    expect(server.sessions).to.deep.equal(before)
    expect(server.sessions.map(({ identity }) => identity.rights)).to.deep.equal([{ role: 'guest' }, undefined])
  })

  it('end the session of a token that has another identity now, or a method that is gone', async () => {
    const { server } = await world()
    const swapped = [
      { identity: 'office', token },
      { identity: 'home', token: otherToken }
    ]
    expect(await server.runtime.control.plan(withTokens(swapped))).to.include({ sessions: 2 })
    expect(await server.runtime.control.plan({ ...serverConfig(), extensions: [] })).to.include({ sessions: 2 })
  })
})

describe('a plan', () => {
  afterEach(cleanUp)

  it('tries new addresses without a reload, and leaves those alone that are open', async () => {
    const server = await startServer()
    const [taken, free] = [await freePort(), await freePort()]
    const blocker = net.createServer().listen(taken, '127.0.0.1')
    await once(blocker, 'listening')
    const at = (...ports: number[]) =>
      serverConfig({ listen: ports.map((port) => ({ transport: 'tcp', host: '127.0.0.1', port })) })
    const plan = await server.runtime.control.plan(at(portOf(server), free, taken))
    expect(plan.problems.map(({ path, code }) => [path, code])).to.deep.equal([['server.listen[2]', 'config.invalid']])
    expect(plan.problems[0]?.reason).to.include('in use')
    blocker.close()
    await once(blocker, 'close')
    const next = await server.runtime.control.plan(at(portOf(server), free, taken))
    expect(next.problems).to.deep.equal([])
    expect(server.listening).to.have.length(1)
    await server.reload(at(free, taken))
    expect((await failure(server.reload(at(free, taken, portOf(server), -1)))).code).to.equal('config.invalid')
  })
})
