import type { ProxyEntry } from '@rystra/config'
import { type CloseStreamContext, RystraError } from '@rystra/plugin'
import proxyPrivate from '@rystra/proxy-private'
import proxyUdp from '@rystra/proxy-udp'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  cleanUp,
  clientConfig,
  freePort,
  later,
  portOf,
  serverConfig,
  startClient,
  startServer,
  visitorPort
} from './tunnel.js'

const bound = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  later(() => socket.close())
  return socket
}

/** A service that answers with its name and the port from which it was asked: another one is another flow. */
const named = async (name: string): Promise<number> => {
  const socket = await bound()
  socket.on('message', (_datagram, { address, port }) => socket.send(`${name} ${port}`, port, address))
  return (socket.address() as AddressInfo).port
}

const ask = async (visitor: dgram.Socket, port: number): Promise<string> => {
  const answer = once(visitor, 'message')
  visitor.send('who', port, '127.0.0.1')
  return String((await answer)[0])
}

describe('a udp proxy that is changed', () => {
  afterEach(cleanUp)

  const world = async () => {
    const server = await startServer({}, [proxyUdp()])
    const [one, two] = [await named('one'), await named('two')]
    const entry = (fields: Partial<ProxyEntry>): ProxyEntry =>
      ({ name: 'x', kind: 'udp', local: one, ...fields }) as ProxyEntry
    const client = await startClient(portOf(server), [entry({})], {}, [proxyUdp()])
    const visitor = await bound()
    const port = visitorPort(client, 'x')
    const flow = await ask(visitor, port)
    const [listed] = [...server.runtime.streams()]
    return { server, client, entry, one, two, visitor, port, flow, listed }
  }

  it('keeps its port, its visitors and what the service knows them by; limits are the new ones', async () => {
    const { server, client, entry, visitor, port, flow, listed } = await world()
    await client.update(entry({ maxSessionsPerVisitor: 1, sessionTimeout: '30s' }))
    expect(server.proxies.map(({ spec }) => spec['sessionTimeout'])).to.deep.equal(['30s'])
    expect(visitorPort(client, 'x')).to.equal(port)
    expect(await ask(visitor, port)).to.equal(flow)
    expect([...server.runtime.streams()]).to.deep.equal([listed])
    const next = await bound()
    await ask(next, port)
    const left = [...server.runtime.streams()].map(({ info }) => info.visitor.port)
    expect(left, 'the new limit has evicted the first').to.deep.equal([next.address().port])
  })

  it('has new visitors at another service, and those that there are at the one before', async () => {
    const { server, client, entry, two, visitor, port, flow } = await world()
    const before = server.runtime.events.sequence
    await client.update(entry({ local: two }))
    expect(server.runtime.events.sequence, 'the server does not see it').to.equal(before)
    expect(await ask(visitor, port)).to.equal(flow)
    expect(await ask(await bound(), port)).to.match(/^two /)
  })

  it('moves to another port, and frees the one before', async () => {
    const { client, entry, visitor, port } = await world()
    const other = await freePort()
    await client.update(entry({ port: other }))
    expect(await ask(visitor, other)).to.match(/^one /)
    const again = dgram.createSocket('udp4').bind(port, '127.0.0.1')
    later(() => again.close())
    await once(again, 'listening')
  })

  it('stays as it was, with its visitors, when the other port is taken', async () => {
    const { client, entry, visitor, port, flow } = await world()
    const taken = (await bound()).address().port
    await client.update(entry({ port: taken }))
    expect(client.runtime.proxy('x')?.info.error?.code).to.equal('proxy.port-taken')
    expect(await ask(visitor, port)).to.equal(flow)
  })

  it('keeps its visitors when datagrams are to go another way: the service sees them from elsewhere', async () => {
    const { server, client, entry, visitor, port, flow, listed } = await world()
    await client.update(entry({ reliable: true }))
    const next = await ask(visitor, port)
    expect(next).to.match(/^one /).and.not.equal(flow)
    expect([...server.runtime.streams()]).to.deep.equal([listed])
  })

  it('keeps its visitors over another instance of the extension', async () => {
    const { server, client, visitor, port, flow, listed } = await world()
    await server.reload(serverConfig({}, [proxyUdp({ native: false })]))
    expect(await ask(visitor, port)).to.equal(flow)
    expect([...server.runtime.streams()]).to.deep.equal([listed])
    await client.stop()
    expect([...server.runtime.streams()]).to.deep.equal([])
  })

  it('is changed by a reload of its client likewise', async () => {
    const { server, client, entry, visitor, port, flow } = await world()
    const next = clientConfig(portOf(server), [entry({ maxSessions: 7 })], {}, [proxyUdp()])
    const plan = await client.runtime.control.plan(next)
    const planned = plan.items.filter(({ subject }) => subject === 'proxy')
    expect(planned).to.deep.equal([{ action: 'change', subject: 'proxy', name: 'x', detail: 'maxSessions' }])
    const moved = clientConfig(portOf(server), [entry({ port: await freePort() })], {}, [proxyUdp()])
    const { cuts } = (await client.runtime.control.plan(moved)).items.find(({ name }) => name === 'x') ?? {}
    expect(cuts, 'what another port ends').to.deep.equal([...client.runtime.streams()].map(({ id }) => id))
    await client.reload(next)
    await until(() => server.proxies[0]?.spec['maxSessions'] === 7, 'it is changed')
    expect(await ask(visitor, port)).to.equal(flow)
  })
})

describe('a visitor of datagrams', () => {
  afterEach(cleanUp)

  it('is listed with what it has carried, and ended by an administrator: its next datagram is a new one', async () => {
    const server = await startServer({}, [proxyUdp()])
    const local = await named('one')
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'udp', local } as ProxyEntry], {}, [
      proxyUdp()
    ])
    const over: CloseStreamContext[] = []
    server.on('streamClose', (stream) => over.push(stream))
    const [visitor, other] = [await bound(), await bound()]
    const port = visitorPort(client, 'x')
    const [flow, flowOfOther] = [await ask(visitor, port), await ask(other, port)]
    const handle = [...server.runtime.streams()].find(({ info }) => info.visitor.port === visitor.address().port)
    const { bytesToService, bytesToVisitor } = handle?.stats() ?? {}
    expect([bytesToService, bytesToVisitor]).to.deep.equal([3, flow.length])
    handle?.close(new RystraError('stream.reset', { side: 'server', detail: 'ended by an administrator' }))
    expect(server.runtime.stream(handle?.id ?? '')).to.equal(undefined)
    expect(over.map(({ reason, error }) => [reason, error?.detail])).to.deep.equal([
      ['reset', 'ended by an administrator']
    ])
    expect(await ask(visitor, port)).to.not.equal(flow)
    expect(await ask(other, port), 'others are not concerned').to.equal(flowOfOther)
  })

  it('is ended when it comes through a forward of another client, which opens a stream anew', async () => {
    const extensions = [proxyPrivate()]
    const server = await startServer({}, extensions)
    const secret = 'a secret of sixteen letters'
    const proxy = { name: 'x', kind: 'private', protocol: 'udp', local: await named('one'), secret } as ProxyEntry
    await startClient(portOf(server), [proxy], {}, extensions)
    const forward = { name: 'f', kind: 'private', of: 'x', protocol: 'udp', bind: await freePort(), secret }
    const visiting = await startClient(portOf(server), [], { id: 'other', forwards: [forward] }, extensions)
    const visitor = await bound()
    const flow = await ask(visitor, forward.bind)
    const [stream, ...none] = [...server.runtime.streams()]
    expect(none).to.deep.equal([])
    expect(stream?.stats().bytesToVisitor).to.be.at.least(flow.length)
    stream?.close()
    await until(() => [...server.runtime.streams()].length === 0, 'it is over')
    await until(() => [...visiting.runtime.streams()].length === 0, 'also at the client that visits')
    let answer: string | undefined
    visitor.once('message', (datagram) => {
      answer = String(datagram)
    })
    await until(() => {
      visitor.send('who', forward.bind, '127.0.0.1')
      return answer !== undefined
    }, 'it is admitted again')
    expect(answer).to.not.equal(flow)
  })
})
