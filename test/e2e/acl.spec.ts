import { once } from 'node:events'
import type { Client } from '@rystra/client'
import authToken from '@rystra/auth-token'
import hookAcl from '@rystra/hook-acl'
import proxyPrivate from '@rystra/proxy-private'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { carriers, db, join, serve, toDb, wayIn } from './private-tunnel.js'
import {
  ask,
  cleanUp,
  echo,
  endOfVisit,
  failure,
  makeClient,
  otherToken,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  svc,
  visit,
  visitorPort
} from './tunnel.js'
import { witness } from './witness.js'

const settings = { tokens: [{ identity: 'home', token: 'a-token-for-tests-0123456789' }] }

describe('hook-acl in a tunnel', () => {
  afterEach(cleanUp)

  /** Ports that are likely to be free: some of those that the system gives out. */
  const freePorts = async (): Promise<[number, number, number]> => {
    const ports = [await startService(echo), await startService(echo), await startService(echo)] as const
    await cleanUp()
    return [...ports]
  }

  const published = async (server: Server, client: Client): Promise<string> => {
    const [refusal] = await Promise.race([
      once(client, 'refused'),
      client.start().then(() => [undefined] as const)
    ]).catch(() => [undefined])
    return (refusal as { error?: { detail?: string } } | undefined)?.error?.detail ?? String(server.proxies.length)
  }

  it('gives a tenant a free port out of its range, and no other port', async () => {
    const [own, foreign] = await freePorts()
    const acl = hookAcl({
      rules: [
        { identities: ['home'], ports: [own] },
        { identities: ['office'], ports: [foreign] }
      ]
    } as never)
    const server = await startServer({}, [acl])
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service)])
    expect(visitorPort(client, 'svc')).equal(own)
    expect(await ask(own, 'mine')).equal('mine')
    const attacker = await makeClient(portOf(server), [{ ...svc(service), port: own }], {
      token: otherToken,
      id: 'attacker'
    })
    expect(await published(server, attacker)).equal(String(own))
  })

  it('answers alike for what is taken, reserved or not allowed, so that no tenant learns what another has', async () => {
    const [own, reserved, outside] = await freePorts()
    const acl = hookAcl({
      rules: [
        { identities: ['home'], ports: [own], names: ['svc', 'x', 'db'] },
        { identities: ['office'], ports: [own, `${reserved}-${reserved + 1}`], names: ['p*', 'x', 'd*'] },
        { identities: ['third'], ports: [reserved] }
      ]
    } as never)
    const server = await startServer({}, [acl, proxyPrivate])
    const service = await startService(echo)
    await startClient(
      portOf(server),
      [
        { ...svc(service), port: own },
        { name: 'x', kind: 'private', local: 1, secret: 'shared' }
      ],
      {},
      [proxyPrivate]
    )
    const other = await startClient(portOf(server), [], { token: otherToken, id: 'other' }, [proxyPrivate])
    const answers: string[] = []
    const secret = { kind: 'private', local: 1, secret: 'shared' }
    for (const spec of [
      ...[own, reserved, outside].map((port) => ({ ...svc(service), name: `p${port}`, port })),
      ...['x', 'db', 'other'].map((name) => ({ ...secret, name }))
    ]) {
      const refused = once(other, 'refused')
      await other.publish(spec)
      const [{ error }] = await refused
      other.unpublish(spec.name)
      answers.push(error.message.replace(String('port' in spec ? spec.port : spec.name), '…'))
    }
    expect(new Set(answers.slice(0, 3)).size, answers.join('\n')).equal(1)
    expect(new Set(answers.slice(3)).size, answers.join('\n')).equal(1)
  })

  it('names the ports of the server for one outside of them, without the gaps that others have', async () => {
    const acl = hookAcl({
      rules: [{ identities: ['home'], ports: [2000] }],
      reserved: { ports: [3000] },
      default: 'allow'
    } as never)
    const server = await startServer({}, [acl])
    const other = await startClient(portOf(server), [], { token: otherToken, id: 'other' })
    const error = await failure(other.publish({ ...svc(1), port: 80 }))
    expect([error.code, error.detail]).deep.equal(['proxy.port-not-allowed', '80; allowed: 1024-65535'])
  })

  it('refuses visitors of other networks, and goes by new rules after a reload', async () => {
    const rules = (visitors: string[]) => hookAcl({ rules: [{ visitors }] } as never)
    const { refused, use } = witness()
    const server = await startServer({}, [rules(['127.0.0.0/8']), use])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const port = visitorPort(client, 'svc')
    expect(await ask(port, 'in')).equal('in')
    await server.reload(serverConfig({}, [rules(['10.0.0.0/8']), use]))
    expect(await endOfVisit(port)).equal('ECONNRESET')
    expect(refused.at(-1)?.error.detail).match(/network/)
  })

  it('counts proxies over reloads, and lets a client come back within its quota', async () => {
    const acl = (proxies: number, deny = false) =>
      hookAcl({ rules: [{ identities: ['absent'], deny }, { quotas: { proxies } }] } as never)
    const server = await startServer({}, [acl(1)])
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service)])
    await server.reload(serverConfig({}, [acl(1, true)]))
    const error = await client.publish(svc(service, 'more')).then(
      () => undefined,
      (cause: { code: string }) => cause.code
    )
    expect(error).equal('proxy.refused')
    const again = await startClient(portOf(server), [svc(service)])
    expect(again.proxies.map(({ name }) => name)).deep.equal(['svc'])
  })

  it('resets a stream with a code at the daily byte quota', async () => {
    const acl = hookAcl({ rules: [{ quotas: { bytesPerDay: '100kB' } }] } as never)
    const server = await startServer({}, [acl])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const closed = once(server, 'streamClose')
    const socket = await visit(visitorPort(client, 'svc'))
    socket.write(Buffer.alloc(200_000))
    const [{ error }] = (await closed) as [{ error?: { code: string } }]
    expect(error?.code).equal('stream.limit')
    expect(await endOfVisit(visitorPort(client, 'svc'))).equal('ECONNRESET')
  })

  it('goes by the rights of an authenticator', async () => {
    const acl = hookAcl({ rules: [{ rights: { role: 'publisher' } }] } as never)
    const tokens = (rights: object) =>
      ({
        ...serverConfig({}, [acl]),
        extensions: [authToken({ tokens: [{ ...settings.tokens[0], rights }] } as never), acl]
      }) as ReturnType<typeof serverConfig>
    const server = await startServer({}, [acl])
    await server.reload(tokens({ role: 'publisher' }))
    const client = await startClient(portOf(server), [svc(1)])
    expect(client.proxies).length(1)
    await server.reload(tokens({ role: 'reader' }))
    const reader = await makeClient(portOf(server), [svc(1)], { id: 'reader' })
    expect(await published(server, reader)).equal('no rule matches this identity')
  })

  it('tells a tenant nothing of the private proxies of another', async () => {
    const [carrier] = carriers()
    if (carrier === undefined) throw new Error('there is nothing to carry it')
    const acl = hookAcl({ tenants: { a: ['home'], b: ['office'] }, rules: [{}] } as never)
    const { refused, use } = witness()
    const server = await serve(carrier, {}, [acl, use])
    await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo), { allow: ['*'] })] })
    const friend = await join(carrier, server, { id: 'friend', forwards: [toDb()] })
    expect(await ask(wayIn(friend), 'hello')).equal('hello')
    const office = { id: 'office', token: otherToken }
    const refusalOf = async (client: Client): Promise<string> => {
      const refusal = once(client, 'refused') as Promise<[{ error: { message: string } }]>
      await endOfVisit(wayIn(client))
      return (await refusal)[0].error.message
    }
    const there = await refusalOf(await join(carrier, server, { ...office, forwards: [toDb()] }))
    const nowhere = await refusalOf(
      await join(carrier, server, { ...office, id: 'other', forwards: [toDb({ of: 'nowhere' })] })
    )
    expect(there).equal(nowhere.replace('nowhere', 'db'))
    expect(refused[0]?.error.detail, 'for the log of the server').match(/another tenant/)
  })
})
