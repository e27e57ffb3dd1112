import {
  type OpenStreamOptions,
  type ProxyKind,
  type PublishHost,
  type ReachHost,
  RystraError,
  silentLog,
  type VisitorInfo
} from '@rystra/plugin'
import { duplexPair, FakeClock, joinDatagrams, until } from '@rystra/testkit'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import proxyUdp from '../src/index.js'
import type { UdpSpec } from '../src/spec.js'

const clock = new FakeClock()

/** What was counted, once {@link read} is called. */
const counted = new Map<string, number>()
let read = (): void => {}
const metrics = {
  counter: (name: string) => ({
    add: (count: number, labels: Readonly<Record<string, string>>) => {
      const key = [name, ...Object.values(labels)].join(' ')
      counted.set(key, (counted.get(key) ?? 0) + count)
    }
  }),
  collect: (collect: () => void) => {
    read = collect
    return () => {}
  }
}

const kind = ((): ProxyKind<UdpSpec> => {
  const added: ProxyKind<UdpSpec>[] = []
  const registries = { proxies: { add: (it: ProxyKind<UdpSpec>) => added.push(it) } }
  proxyUdp.definition.setup({ options: { native: true }, registries, clock, metrics } as never)
  return added[0] as ProxyKind<UdpSpec>
})()

const spec = (fields: Record<string, unknown>): UdpSpec =>
  ({ name: 'dns', kind: 'udp', local: 53, ...fields }) as UdpSpec

const started: (() => unknown)[] = []

const bound = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  started.push(() => socket.close())
  return socket
}

/** Both halves of the kind, joined without a server or a client. */
const join = async (fields: Record<string, unknown>) => {
  const service = await bound()
  service.on('message', (datagram, { address, port }) => service.send(datagram, port, address))
  const proxy = spec({ local: service.address().port, ...fields })
  const socket = await bound()
  const gone = new AbortController()
  const opened: { info: VisitorInfo; options: OpenStreamOptions | undefined; reached: Promise<void> }[] = []
  const admitted: VisitorInfo[] = []
  const closed: number[][] = []
  const host: Partial<PublishHost> = {
    log: silentLog,
    signal: gone.signal,
    listenUdp: async () => ({ address: { host: '127.0.0.1', port: socket.address().port }, socket }),
    openStream: async (info, options) => {
      const [near, far] = duplexPair()
      for (const stream of [near, far]) stream.on('error', () => {})
      const [here, there] = options?.datagrams === true ? (joinDatagrams() as unknown as never[]) : []
      const reach = {
        spec: proxy,
        log: silentLog,
        accept: () => far,
        ...(there === undefined ? {} : { datagrams: there })
      }
      opened.push({ info, options, reached: kind.reach(proxy, reach as unknown as ReachHost) })
      return { stream: near, info: {} as never, ...(here === undefined ? {} : { datagrams: here }) }
    },
    admit: (visitor) => {
      admitted.push(visitor)
      return { info: {} as never, close: (up, down) => closed.push([up, down]) }
    }
  }
  const published = await kind.publish(proxy, host as PublishHost)
  return { port: socket.address().port, published, gone, opened, admitted, closed }
}

const ask = async (visitor: dgram.Socket, port: number, datagram: string): Promise<string> => {
  const answer = once(visitor, 'message')
  visitor.send(datagram, port, '127.0.0.1')
  return String((await answer)[0])
}

describe('a udp proxy', () => {
  afterEach(() => {
    for (const end of started.splice(0)) end()
  })

  for (const reliable of [undefined, false, true]) {
    it(`asks for datagrams unless it is to be reliable: ${reliable}`, async () => {
      const { port, opened, admitted, published } = await join(reliable === undefined ? {} : { reliable })
      const [one, other] = [await bound(), await bound()]
      expect(await ask(one, port, 'one')).to.equal('one')
      expect(await ask(other, port, 'other')).to.equal('other')
      expect(opened.length, 'streams').to.equal(1)
      expect(opened[0]?.options).to.include({ datagrams: reliable !== true, carrier: true })
      expect(opened[0]?.info).to.deep.equal({ host: '127.0.0.1', port, to: { host: '127.0.0.1', port } })
      expect(admitted.map((visitor) => visitor.port)).to.deep.equal([one.address().port, other.address().port])
      await published.close?.()
      await opened[0]?.reached
    })
  }

  it('counts datagrams of both halves, and each that it drops', async () => {
    counted.clear()
    const { port, published, opened } = await join({ packetsPerVisitor: 4 })
    const visitor = await bound()
    expect(await ask(visitor, port, 'one')).to.equal('one')
    for (let one = 0; one < 5; one += 1) visitor.send('more', port, '127.0.0.1')
    await until(() => {
      read()
      return counted.get('rystra_udp_dropped_total dns rate') === 5
    }, 'five that were too many')
    await published.close?.()
    await opened[0]?.reached
    // Each half counts: here both are one process.
    expect(Object.fromEntries(counted)).to.deep.equal({
      'rystra_udp_datagrams_total dns to_service': 2,
      'rystra_udp_datagrams_total dns to_visitor': 2,
      'rystra_udp_dropped_total dns rate': 5
    })
  })

  it('opens no stream before the first visitor, and ends with its proxy', async () => {
    const { port, opened, gone, closed, published } = await join({})
    expect([opened.length, published.address]).to.deep.equal([0, `127.0.0.1:${port}`])
    await ask(await bound(), port, 'hello')
    gone.abort()
    await opened[0]?.reached
    expect(closed).to.deep.equal([[5, 5]])
  })

  it('refuses what would not be done', () => {
    for (const fields of [
      { group: 'x' },
      { healthCheck: {} },
      { proxyProtocol: 'v1' },
      { idleTimeout: 1 },
      { local: 'a:0' }
    ]) {
      const [field = ''] = Object.keys(fields)
      expect(() => kind.expand?.(spec(fields)), field)
        .to.throw(RystraError, field)
        .with.property('code', 'proxy.invalid')
    }
    expect(kind.expand?.(spec({}))).to.deep.equal([spec({})])
  })

  it('does not accept a stream for a service that cannot be named', async () => {
    let accepted = false
    const host = { log: silentLog, accept: () => (accepted = true) }
    const error = await kind
      .reach(spec({ local: 'a:0' }), host as unknown as ReachHost)
      .catch((why: RystraError) => why)
    expect([(error as RystraError).code, accepted]).to.deep.equal(['proxy.invalid', false])
  })
})
