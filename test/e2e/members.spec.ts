import { type Logger, type RystraError, silentLog, toWireError } from '@rystra/model'
import { canReusePort } from '@rystra/net'
import type { Runtime } from '@rystra/plugin'
import { FakeClock, until } from '@rystra/testkit'
import { expect } from 'chai'
import { checkMembers, isOfParent, memberConfig } from '../../cli/src/members/member-config.js'
import { environmentOf, memberEnvironment } from '../../cli/src/members/member-environment.js'
import { checkCount, Members } from '../../cli/src/members/members.js'
import type { FromMember, ToMember } from '../../cli/src/members/messages.js'
import { FakeMember, options } from './fake-member.js'
import { Servers } from './several-servers.js'
import { ask, cleanUp, codeOf, echo, portOf, startClient, startServer, startService, visitorPort } from './tunnel.js'

describe('several server processes of one machine', () => {
  const servers = new Servers()
  afterEach(async () => {
    await servers.close()
    await cleanUp()
  })

  it('are seen as one, with the name of the member, and what is ended ends there', async () => {
    const runtimes: Runtime[] = []
    for (const host of ['a', 'b']) {
      const { server } = await servers.add(host)
      runtimes.push(server.runtime)
      const services = { hello: (stream: NodeJS.WritableStream) => void stream.end('hello') }
      const client = await servers.client({ host }, { id: `client-of-${host}`, services: services as never })
      await client.start()
    }
    const members = new Members(options((_, index) => new FakeMember().run(runtimes[index] as Runtime)))
    await members.start()
    const sessions = [...members.runtime.sessions()].map(({ info }) => [info.client.id, info.member])
    expect(sessions).to.deep.equal([
      ['client-of-a', '1'],
      ['client-of-b', '2']
    ])
    expect([...members.runtime.proxies()].map(({ info }) => info.session?.member)).to.deep.equal(['1', '2'])
    expect([...members.runtime.listeners()]).to.have.length(2)
    expect(members.runtime.stats()).to.include({ sessions: 2, proxies: 2, sessionsOpened: 2 })
    expect(members.runtime.control.revision).to.equal(runtimes[0]?.control.revision)
    const [, second] = members.runtime.sessions()
    const closed = new Promise<{ member?: string }>((resolve) => {
      members.runtime.events.subscribe((event) => {
        if (event.type === 'session.closed') resolve(event.session)
      })
    })
    second?.close()
    expect((await closed).member).to.equal('2')
    expect(await members.runtime.control.drain({ timeout: 0 })).to.deep.equal({ streams: 0 })
    await members.stop({ drain: 0 })
  })

  it('pass on streams while a reader asks for them, with the member and no more than is read', async () => {
    const [server, other] = [await startServer(), await startServer()]
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }])
    const [one, two] = [new FakeMember().run(server.runtime), new FakeMember().run(other.runtime)]
    const warned: object[] = []
    const log: Logger = {
      ...silentLog,
      warn: (fields: unknown) => void warned.push(fields as object),
      child: () => log
    }
    const members = new Members({ ...options((_, index) => [one, two][index] as FakeMember), log })
    await members.start()
    const sent: string[] = []
    for (const member of [one, two])
      member.wire.on('fromMember', (message: FromMember) => {
        if ('event' in message && message.event.type.startsWith('stream.')) sent.push(message.event.type)
      })
    const visit = () => ask(visitorPort(client, 'x'), 'hello')
    await visit()
    expect(sent, 'while nothing reads them').to.deep.equal([])
    const seen: (string | undefined)[][] = []
    const end = members.runtime.events.subscribe(
      (event) => {
        if (event.type === 'stream.opened' || event.type === 'stream.closed')
          seen.push([event.type, event.member, event.stream.session.member, event.stream.proxy.name])
      },
      { streams: true }
    )
    await until(() => one.received.some(({ ask: what }) => what === 'streams'), 'the members to be asked')
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    await visit()
    await until(() => seen.length >= 2, 'both events')
    expect(seen).to.deep.equal([
      ['stream.opened', '1', '1', 'x'],
      ['stream.closed', '1', '1', 'x']
    ])
    one.stalled = true
    const before = sent.length
    const fake = server.runtime.events as unknown as { stream(type: 'stream.opened', stream: object): void }
    const [session] = server.runtime.sessions()
    for (let count = 0; count < 1500; count += 1) fake.stream('stream.opened', { id: '1', session: session?.info })
    await until(() => sent.length >= before + 1000, 'what is bounded')
    expect(sent.length - before).to.equal(1000)
    end()
    await until(
      () => one.received.some((message) => message.ask === 'streams' && !message.args.wanted),
      'the members to be asked for no more'
    )
    await members.stop({ drain: 0 })
  })

  it('have the metrics of their extensions shown with their name, and totals that do not go back when one ends', async () => {
    const clock = new FakeClock()
    const server = await startServer()
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }])
    await ask(visitorPort(client, 'x'), 'hello')
    const metric = (name: string, value: number, type: 'counter' | 'gauge' = 'counter') =>
      ({ name, type, help: 'H', values: [{ labels: { rule: 'a' }, value }] }) as const
    const made: FakeMember[] = []
    const start = (_: string, index: number): FakeMember => {
      const snapshot = () => [metric('a_total', index + 1), metric('b', 7, index === 0 ? 'gauge' : 'counter')]
      const member = made.length < 2 ? new FakeMember().run(server.runtime, { snapshot }) : new FakeMember().idle()
      made.push(member)
      return member
    }
    const members = new Members(options(start, clock))
    await members.start()
    members.kernel.metrics.counter('parent_total', 'P').add(3)
    const found = Object.fromEntries(members.kernel.metrics.snapshot().map(({ name, values }) => [name, values]))
    expect(found).to.deep.equal({
      parent_total: [{ labels: {}, value: 3 }],
      a_total: [
        { labels: { rule: 'a', member: '1' }, value: 1 },
        { labels: { rule: 'a', member: '2' }, value: 2 }
      ],
      // Another kind of the same name cannot be shown beside it.
      b: [{ labels: { rule: 'a', member: '1' }, value: 7 }]
    })
    const { opened, sessionsOpened, bytesToService } = members.runtime.stats()
    expect([opened, sessionsOpened, bytesToService]).to.deep.equal([2, 2, 10])
    made[0]?.exit(1)
    expect(members.runtime.stats()).to.include({ opened, sessionsOpened, bytesToService, sessions: 1, streams: 0 })
    expect(members.kernel.metrics.snapshot().find(({ name }) => name === 'a_total')?.values).to.have.length(1)
    await members.stop({ drain: 0 })
  })

  it('add proxies to a client at the member that it is connected to, and remove them there', async () => {
    const runtimes: Runtime[] = []
    const local = await startService(echo)
    for (const id of ['one', 'two']) {
      const server = await startServer()
      runtimes.push(server.runtime)
      const accept = { kinds: ['tcp'], hosts: ['127.0.0.1'], ports: ['1-65535'] }
      await startClient(portOf(server), [], { id, accept })
    }
    const members = new Members(options((_, index) => new FakeMember().run(runtimes[index] as Runtime)))
    await members.start()
    const { control } = members.runtime
    const added = await control.addProxy({ name: 'x', kind: 'tcp', local: `127.0.0.1:${local}` }, 'two', { by: 'ann' })
    expect([added.info.session?.member, added.info.by]).to.deep.equal(['2', 'ann'])
    expect([...(runtimes[1]?.proxies() ?? [])].map(({ id }) => id)).to.deep.equal([added.id])
    const port = Number(added.info.address?.split(':').at(-1))
    expect(await ask(port, 'hello')).to.equal('hello')
    await control.removeProxy(added.id)
    expect([...members.runtime.proxies()]).to.deep.equal([])
    expect(await codeOf(control.removeProxy(added.id))).to.equal('control.not-found')
    expect(await codeOf(control.addProxy({ name: 'y', kind: 'tcp', local }, 'three'))).to.equal('control.not-found')
    const kept = control.addProxy({ name: 'y', kind: 'tcp', local }, 'one', { persist: true })
    expect(await codeOf(kept)).to.equal('control.unavailable')
    await members.stop({ drain: 0 })
  })

  it('are started again when they end: with a longer delay each time, and at once after they were well', async () => {
    const clock = new FakeClock()
    const made: FakeMember[] = []
    const members = new Members(
      options(
        () => {
          const one = new FakeMember().idle()
          made.push(one)
          return one
        },
        clock,
        2
      )
    )
    await members.start()
    expect(made).to.have.length(2)
    const delays: number[] = []
    for (let n = 0; n < 8; n += 1) {
      const before = made.length
      made.at(n === 0 ? 0 : -1)?.exit(1)
      const begun = clock.now()
      while (made.length === before) await clock.pass(10)
      delays.push(clock.now() - begun)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(delays[0], 'the first').to.be.at.most(260)
    expect(Math.max(...delays)).to.be.at.most(30_010)
    await clock.pass(10_000)
    const before = made.length
    made.at(-1)?.exit(1)
    await clock.pass(260)
    expect(made.length, 'it was well').to.equal(before + 1)
    await members.stop({ drain: 0 })
  })

  it('do not start when one of them does not, and leave none running', async () => {
    const made: FakeMember[] = []
    const members = new Members(
      options((_, index) => {
        const one = new FakeMember()
        made.push(one)
        if (index === 0) return one.idle()
        setImmediate(() => {
          one.say({ failed: { code: 'listen.in-use', detail: 'tcp 127.0.0.1:7001' } })
          setImmediate(() => setImmediate(() => one.exit(8)))
        })
        return one
      })
    )
    const error = await members.start().catch((cause: RystraError) => cause)
    expect((error as RystraError).code).to.equal('listen.in-use')
    expect((error as RystraError).message).to.contain('member 2: tcp 127.0.0.1:7001')
    expect(made[0]?.received.some(({ ask }) => ask === 'stop')).to.equal(true)
  })

  it('reload one after the other with one report, and none when the first refuses', async () => {
    const answers = ['config.invalid', undefined] as (string | undefined)[]
    const made: FakeMember[] = []
    const members = new Members(
      options(() => {
        const one = new FakeMember()
        made.push(one)
        one.wire.on('toMember', ({ id, ask }: ToMember) => {
          const refusal = ask === 'reload' ? answers.shift() : undefined
          if (ask === 'stop') one.exit(0)
          else if (refusal !== undefined) one.say({ id, error: { code: refusal, detail: 'x' } })
          else one.say({ id, answer: ask === 'reload' ? { revision: 'r', items: [], duration: 5 } : undefined })
        })
        one.say({ ready: { listening: [] } })
        return one
      })
    )
    await members.start()
    const events: string[] = []
    members.runtime.events.subscribe(({ type }) => events.push(type))
    const error = await members.runtime.control.reload().catch((cause: RystraError) => cause)
    expect((error as RystraError).message).to.contain('member 1: x')
    expect(made[1]?.received.some(({ ask }) => ask === 'reload')).to.equal(false)
    expect(await members.runtime.control.reload()).to.include({ revision: 'r', duration: 10 })
    expect(events).to.deep.equal(['reload.failed', 'reload.done'])
    await members.stop({ drain: 0 })
  })

  it('are killed when they do not end in time', async () => {
    const clock = new FakeClock()
    const made: FakeMember[] = []
    const members = new Members(
      options(() => {
        const one = new FakeMember()
        made.push(one)
        one.wire.on('toMember', ({ id, ask }: ToMember) => {
          if (ask !== 'stop') one.say({ id, error: toWireError(new Error('no')) })
        })
        one.say({ ready: { listening: [] } })
        return one
      }, clock)
    )
    await members.start()
    const stopped = members.stop({ drain: 2000 })
    await clock.pass(6999)
    expect(made.map(({ killed }) => killed)).to.deep.equal([false, false])
    await clock.pass(2)
    await stopped
    expect(made.map(({ killed }) => killed)).to.deep.equal([true, true])
  })

  it('listen on ports of their own', async () => {
    for (const portOffset of [1, 2]) {
      const free = await startServer()
      const { port } = free.listening[0] as { port: number }
      await free.stop({ drain: 0 })
      const server = await startServer(
        { listen: [{ transport: 'tcp', host: '127.0.0.1', port: port - portOffset }] },
        [],
        {
          portOffset
        }
      )
      expect(server.listening[0]?.port).to.equal(port)
    }
    const listening = (...listen: object[]) => ({ server: { listen } }) as never
    checkMembers(listening({ port: 7000 }, { port: 7000 }, { port: 7004 }, { port: 0 }, {}), 4, false)
    checkMembers(listening({ port: 7000 }, { port: 7001 }), 4, true)
    expect(() => checkMembers(listening({ port: 7000 }, { port: 7003 }), 4, false)).to.throw(
      /server\.listen\[1\]\.port: expected 7000, or 7004 or above/
    )
    const tooHigh = await startServer({ listen: [{ transport: 'tcp', host: '127.0.0.1', port: 65_535 }] }, [], {
      portOffset: 1
    }).catch((cause: RystraError) => cause)
    expect((tooHigh as RystraError).code).to.equal('config.invalid')
    for (const count of [1, 65, 2.5]) expect(() => checkCount(count)).to.throw(/from 2 to 64/)
  })

  it('have a name, a port and a certificate of their own in a cluster', () => {
    const cluster = {
      name: 'a',
      directory: 'redis',
      port: 7100,
      ca: 'ca.pem',
      cert: 'a-{member}.pem',
      key: 'a-{member}.key'
    }
    const config = (of: object, on?: string) =>
      ({ server: { publish: { on }, cluster: { ...cluster, ...of } } }) as never
    checkMembers(config({}, 'any'), 2, false)
    expect(() => checkMembers(config({}), 2, false)).to.throw(/server\.publish\.on: expected `any`/)
    expect(() => checkMembers(config({ key: 'a.key' }, 'any'), 2, false)).to.throw(
      /server\.cluster\.key: expected a path with/
    )
    expect(memberConfig(config({}), '3').server?.cluster).to.deep.equal({
      ...cluster,
      name: 'a-3',
      port: 7102,
      cert: 'a-3.pem',
      key: 'a-3.key'
    })
  })

  it('share a port only where the system and Node can', async () => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    const isKnown = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
    if (!isKnown || process.platform === 'linux') expect(await canReusePort()).to.equal(isKnown)
  })

  it('are told by their environment, which only a process that was forked reads', () => {
    const member = { name: '2', portOffset: 1, reusePort: false }
    const env = environmentOf(member)
    const { send } = process
    try {
      process.send = undefined
      expect(memberEnvironment(env)).to.equal(undefined)
      process.send = () => true
      expect(memberEnvironment(env)).to.deep.equal(member)
      expect(memberEnvironment({ RYSTRA_MEMBER: '2:x:apart' })).to.equal(undefined)
    } finally {
      process.send = send
    }
    expect(
      [{ use: '@rystra/admin-http' }, '@rystra/observe-prometheus', '@rystra/hook-acl'].map(isOfParent)
    ).to.deep.equal([true, true, false])
  })
})
