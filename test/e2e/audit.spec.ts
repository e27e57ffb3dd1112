import hookAudit from '@rystra/hook-audit'
import { createServer } from '@rystra/server'
import { defineExtension } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  ask,
  cleanUp,
  echo,
  endOfVisit,
  later,
  makeClient,
  otherToken,
  portOf,
  preset,
  serverConfig,
  startServer,
  startService,
  svc,
  token,
  until,
  visitorPort
} from './tunnel.js'
import { type Record, auditFile, rewriting } from './audit-world.js'

describe('the audit of a tunnel', () => {
  afterEach(cleanUp)

  it('tells of sessions, registrations, streams and refusals, in their order, and of no secret', async () => {
    const { audit, records, file } = auditFile()
    const bouncer = defineExtension({
      name: 'bouncer',
      setup: ({ hooks }) => {
        hooks.onRegisterProxy.tap(({ name }) => (name === 'forbidden' ? { deny: 'not here' } : undefined))
        hooks.onOpenStream.tap(({ proxy }) => (proxy.name === 'closed' ? { deny: 'closed now' } : undefined))
      }
    })
    const server = await startServer({}, [audit, bouncer()])
    const office = await makeClient(portOf(server), [], { id: 'office', token: 'a-token-that-is-not-known' })
    await office.start().catch(() => undefined)
    const service = await startService(echo)
    const client = await makeClient(portOf(server), [svc(service), svc(service, 'closed'), svc(service, 'forbidden')])
    const refused = once(client, 'refused')
    await client.start()
    await refused
    await until(() => client.proxies.length === 2)
    const closed = once(server, 'streamClose')
    expect(await ask(visitorPort(client, 'svc'), 'twelve bytes')).to.equal('twelve bytes')
    await closed
    expect(await endOfVisit(visitorPort(client, 'closed'))).to.equal('ECONNRESET')
    const gone = once(server, 'disconnected')
    await client.stop({ drain: 0 })
    await gone
    await server.stop({ drain: 0 })

    const all = records()
    expect(all.map(({ seq }) => seq)).to.deep.equal(all.map((_, index) => index + 1))
    const of = (type: string): Record[] => all.filter((record) => record['type'] === type)
    const [failed, forbidden, shut] = of('refusal')
    expect(failed).to.include({ what: 'session', code: 'auth.refused', peer: '127.0.0.1' })
    expect(forbidden).to.include({ what: 'proxy', code: 'proxy.refused', proxy: 'forbidden', detail: 'not here' })
    expect(shut).to.include({ what: 'stream', code: 'stream.refused', proxy: 'closed', detail: 'closed now' })
    expect(of('session.open')[0]).to.include({ identity: 'home', client: 'test', transport: 'tcp', muxer: 'yamux' })
    expect(of('proxy.publish').map(({ proxy }) => proxy)).to.have.members(['svc', 'closed'])
    expect(of('proxy.publish')[0]?.['address']).to.match(/^127\.0\.0\.1:\d+$/)
    const [stream, denied] = of('stream.close')
    expect(stream).to.include({
      identity: 'home',
      proxy: 'svc',
      visitor: '127.0.0.1',
      bytesToService: 12,
      bytesToVisitor: 12,
      reason: 'end'
    })
    expect(stream?.['duration']).to.be.a('number')
    expect(denied).to.include({ proxy: 'closed', reason: 'refused' })
    expect(of('proxy.unpublish')).to.have.length(2)
    expect(of('session.close')).to.have.length(1)
    expect([all[0]?.['type'], all.at(-1)?.['type']]).to.deep.equal(['audit.start', 'audit.stop'])
    const text = readFileSync(file, 'utf8')
    for (const secret of [token, otherToken, 'a-token-that-is-not-known']) expect(text).to.not.include(secret)
  })

  it('is one line for each record, whatever a hook or a client says', async () => {
    const { audit, records, file } = auditFile()
    const deny = 'a\n{"type":"forged"}\u001b[31m\u2028\u0085\u202e'
    const bouncer = defineExtension({ name: 'bouncer', setup: ({ hooks }) => hooks.onHello.tap(() => ({ deny })) })
    const server = await startServer({}, [audit, bouncer()])
    await (await makeClient(portOf(server), [])).start().catch(() => undefined)
    await server.stop({ drain: 0 })
    expect(records().map(({ type }) => type)).to.not.include('forged')
    expect(records().find(({ type }) => type === 'refusal')).to.have.property('detail', deny)
    expect(readFileSync(file, 'utf8')).to.match(/^[\x20-\x7e\n]+$/)
  })

  it('of an instance that did not change goes on over a reload', async () => {
    const { audit, records } = auditFile()
    const server = await startServer({}, [audit])
    const { kept } = await server.reload(serverConfig({}, [audit, rewriting('new', 'a', 'b')]))
    expect(kept).to.include('hook-audit')
    await server.stop({ drain: 0 })
    expect(records().map(({ type }) => type)).to.deep.equal(['audit.start', 'audit.stop'])
  })

  it('that has nowhere to write to fails the start, by its name', async () => {
    const audit = hookAudit({ to: { file: '/dev/null/audit' } as never })
    const server = await createServer(serverConfig({}, [audit]), { preset })
    later(() => server.stop({ drain: 0 }))
    const error = await server.start().then(
      () => undefined,
      (thrown: Error) => thrown
    )
    expect(error).to.be.an('error')
    expect(error?.message).to.match(/hook-audit/)
  })
})
