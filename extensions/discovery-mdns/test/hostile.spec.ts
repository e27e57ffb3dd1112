import { type FoundServer, silentLog } from '@rystra/plugin'
import { FakeClock, Random } from '@rystra/testkit'
import { Bonjour } from 'bonjour-service'
import { expect } from 'chai'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MdnsDiscovery } from '../src/mdns-discovery.js'
import { wallClock } from './clock.js'
import { memoryNetwork, type TestNetwork } from './network.js'

const HOME = { name: 'home', transport: 'tls', port: 7001 }
const GOOD = { v: '1', n: 'home', t: 'tls' }

/** Announces and finds beside neighbours who announce what they like. */
class Neighbourhood {
  readonly network: TestNetwork
  readonly discovery: MdnsDiscovery
  readonly stop = new AbortController()
  readonly #neighbours: Bonjour[] = []

  constructor(network = memoryNetwork(), clock = wallClock) {
    this.network = network
    this.discovery = new MdnsDiscovery(network.options, clock, silentLog)
  }

  /** Services as they come, the texts as they are given. */
  async neighbour(
    services: { name: string; port: number; txt?: Record<string, string>; host?: string }[]
  ): Promise<void> {
    const neighbour = new Bonjour({ port: 5353, socket: this.network.options.socket?.() } as object, () => {})
    this.#neighbours.push(neighbour)
    const published = services.map((each) => neighbour.publish({ type: 'rystra', probe: false, ...each }))
    await Promise.all(published.map((service) => once(service, 'up')))
  }

  /** All that is found until the one that is announced last. */
  async found(): Promise<FoundServer[]> {
    const servers: FoundServer[] = []
    await this.discovery.announce({ ...HOME, port: 9999 }, this.stop.signal)
    for await (const server of this.discovery.find('home', this.stop.signal)) {
      if (server.port === 9999) break
      servers.push(server)
    }
    return servers
  }

  close(): void {
    this.stop.abort()
    for (const neighbour of this.#neighbours) neighbour.destroy()
  }
}

describe('mDNS among others', () => {
  let here: Neighbourhood
  beforeEach(() => {
    here = new Neighbourhood()
  })
  afterEach(() => here.close())

  it('takes the address from where the answer came, not from what it says', async () => {
    await here.neighbour([{ name: 'other', port: 7002, txt: GOOD, host: 'bank.example' }])
    expect(await here.found()).deep.equal([{ ...HOME, port: 7002, host: '127.0.0.1' }])
  })

  it('does not take what makes no sense', async () => {
    const texts: [string, Record<string, string> | undefined][] = [
      ['none', undefined],
      ['version', { ...GOOD, v: '2' }],
      ['nameless', { v: '1', t: 'tls' }],
      ['transport', { ...GOOD, t: '../tls' }],
      ['fingerprint', { ...GOOD, f: 'two words' }],
      ['long', { ...GOOD, n: 'x'.repeat(200) }],
      ['prototype', { ...GOOD, ['__proto__']: 'x', constructor: 'x', toString: 'x' }]
    ]
    await here.neighbour(texts.map(([name, txt], index) => ({ name, port: 8000 + index, ...(txt && { txt }) })))
    expect((await here.found()).map(({ port }) => port)).deep.equal([8006])
  })

  it('does not take answers from another port than that of mDNS', async () => {
    here = new Neighbourhood(memoryNetwork('', 4242))
    const found = here.discovery.find('home', here.stop.signal).next()
    await turn()
    for (const packet of await announcementPackets()) await here.network.send(packet)
    here.stop.abort()
    expect((await found).done).equal(true)
  })

  it('finds a server among many that are announced for nothing', async () => {
    const clock = new FakeClock()
    here = new Neighbourhood(memoryNetwork(), clock)
    const found = here.discovery.find('home', here.stop.signal).next()
    for (let round = 0; round < 5; round++) {
      const many = Array.from({ length: 150 }, (_, index) => ({ name: `n${round}-${index}`, port: 1 + index }))
      await here.neighbour(many.map((each) => ({ ...each, txt: { ...GOOD, n: each.name } })))
      clock.advance(1000)
    }
    await here.discovery.announce(HOME, here.stop.signal)
    expect((await found).value).deep.equal({ ...HOME, host: '127.0.0.1' })
  })

  it('survives packets of any bytes, and answers with bytes changed', async () => {
    const random = new Random(3)
    const real = await announcementPackets()
    const looking = here.found()
    for (let round = 0; round < 300; round++) {
      const packet = Buffer.from(real[round % real.length] as Buffer)
      for (let change = 0; change <= round % 4; change++) packet[random.below(packet.length)] = random.below(256)
      await here.network.send(round % 3 === 0 ? random.bytes(random.below(200)) : packet)
    }
    for (const server of await looking) expect(server.host).equal('127.0.0.1')
  })

  it('looks at no more than 200 packets in a second', async () => {
    const clock = new FakeClock()
    here = new Neighbourhood(memoryNetwork(), clock)
    const found = here.discovery.find('home', here.stop.signal).next()
    let waiting = true
    void found.then(() => {
      waiting = false
    })
    await turn()
    const [packet] = (await announcementPackets()) as [Buffer]
    const other = Buffer.from(packet.toString('latin1').replace('n=home', 'n=hole'), 'latin1')
    for (let count = 0; count < 200; count++) await here.network.send(other)
    await here.network.send(packet)
    await turn()
    expect(waiting).equal(true)
    clock.advance(1000)
    await here.network.send(packet)
    expect((await found).value).deep.equal({ ...HOME, host: '127.0.0.1' })
  })

  it('says that there is no discovery where the port is taken', async () => {
    const taken = createSocket('udp4')
    taken.bind(0, '0.0.0.0')
    await once(taken, 'listening')
    const { port } = taken.address()
    const discovery = new MdnsDiscovery({ interface: '127.0.0.1', port }, wallClock, silentLog)
    const attempts = [discovery.announce(HOME, here.stop.signal), discovery.find('home', here.stop.signal).next()]
    const errors = await Promise.all(attempts.map((attempt) => attempt.catch((error) => error.code)))
    taken.close()
    expect(errors).deep.equal(['discovery.unavailable', 'discovery.unavailable'])
  })
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The packets in which a server announces itself. */
const announcementPackets = async (): Promise<Buffer[]> => {
  const network = memoryNetwork()
  const listener = network.options.socket?.()
  const packets: Buffer[] = []
  listener?.on('message', (packet: Buffer) => packets.push(packet))
  await new Promise<void>((resolve) => listener?.bind(5353, '0.0.0.0', resolve))
  const stop = new AbortController()
  const discovery = new MdnsDiscovery(network.options, wallClock, silentLog)
  await discovery.announce(HOME, stop.signal)
  // The first is the announcement; the goodbye comes after it.
  const [packet] = packets
  stop.abort()
  await discovery.settled()
  return packet === undefined ? [] : [packet]
}
