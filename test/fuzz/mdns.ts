import { silentLog } from '@rystra/plugin'
import type { Random } from '@rystra/testkit'
import { wallClock } from '../../extensions/discovery-mdns/test/clock.js'
import { memoryNetwork } from '../../extensions/discovery-mdns/test/network.js'
import { MdnsDiscovery } from '../../extensions/discovery-mdns/src/mdns-discovery.js'
import { SERVED_WITHIN_MS } from './good-visitors.js'

const [A, PTR, TXT, AAAA, SRV, OPT] = [1, 12, 16, 28, 33, 41] as const
const SERVICE = '_rystra._tcp.local'
const GOOD = ['v=1', 'n=good', 't=tls']

const uint16 = (...values: number[]): Buffer =>
  Buffer.from(values.flatMap((value) => [(value >> 8) & 0xff, value & 0xff]))

const text = (...parts: string[]): Buffer =>
  Buffer.concat(parts.flatMap((part) => [Buffer.from([Math.min(255, part.length)]), Buffer.from(part)]))

const name = (dotted: string): Buffer => Buffer.concat([text(...dotted.split('.')), Buffer.alloc(1)])

/** A name as a hostile neighbour writes it, RFC 1035 §4.1.4. */
const anyName = (random: Random, label: string): Buffer =>
  [
    name(SERVICE),
    name(`${label}.${SERVICE}`),
    name(`${label}.${SERVICE}`),
    name(`${label}.local`),
    name('__proto__._rystra._tcp.local'),
    name('.local'),
    Buffer.from([0]),
    // A pointer to itself, to the head, past the end, and a label that is cut off.
    Buffer.from([0xc0, 12]),
    Buffer.from([0xc0, 0]),
    Buffer.from([0xff, 0xff]),
    Buffer.from([63, 1])
  ][random.below(11)] as Buffer

const anyText = (random: Random): Buffer =>
  [
    text(...GOOD),
    text(...GOOD, `f=${'x'.repeat(240)}`),
    text('v=1', 'n=', 't=../tls'),
    text('__proto__=x', 'constructor=x', 'v'),
    text('='),
    Buffer.from([255, 1]),
    Buffer.alloc(0),
    random.bytes(random.below(300))
  ][random.below(8)] as Buffer

const record = (of: Buffer, type: number, ttl: number, data: Buffer, length = data.length): Buffer =>
  Buffer.concat([of, uint16(type, 0x8001, 0, ttl, length), data])

/** What a neighbour announces: without all of it, a search takes no notice. */
const announced = (random: Random): Buffer[] => {
  const label = `neighbour-${random.below(8)}`
  const of = name(`${label}.${SERVICE}`)
  const target = [name(`${label}.local`), Buffer.alloc(1)][random.below(2)] as Buffer
  return [
    record(name(SERVICE), PTR, 120, of),
    record(of, SRV, 120, Buffer.concat([uint16(0, 0, random.below(65_536)), target])),
    record(of, TXT, 120, anyText(random)),
    record(target, A, 120, random.bytes(4))
  ]
}

const anyRecord = (random: Random): Buffer => {
  const label = `neighbour-${random.below(8)}`
  const type = [A, PTR, TXT, AAAA, SRV, OPT, 255, 47][random.below(8)] as number
  const data =
    type === TXT
      ? anyText(random)
      : type === PTR
        ? anyName(random, label)
        : type === SRV
          ? Buffer.concat([uint16(0, 0, random.below(65_536)), anyName(random, label)])
          : random.bytes([0, 4, 16, 3][random.below(4)] as number)
  const length = random.below(8) === 0 ? random.below(65_536) : data.length
  const ttl = [0, 1, 120, 0xffff][random.below(4)] as number
  return record(anyName(random, label), type, ttl, data, length)
}

/** Answers of mDNS, RFC 6762 §18, with what may be wrong about them. */
export const mdnsPacket = (random: Random): Buffer => {
  const records = announced(random).filter(() => random.below(6) > 0)
  for (let more = random.below(4); more > 0; more -= 1) records.splice(random.below(5), 0, anyRecord(random))
  const counts = [0, records.length, 0, random.below(8) === 0 ? 0xffff : 0]
  const flags = [0x8400, 0x8400, 0x8400, 0, 0x8403][random.below(5)] as number
  const packet = Buffer.concat([uint16(0, flags, ...counts), ...records])
  return random.below(8) === 0 ? packet.subarray(0, random.below(packet.length + 1)) : packet
}

/** A server that is announced by mDNS, and a search for it that does not end, among neighbours. */
export class MdnsWorld {
  readonly #network = memoryNetwork()
  readonly #discovery = new MdnsDiscovery(this.#network.options, wallClock, silentLog)
  readonly #stop = new AbortController()
  #searching: Promise<void> = Promise.resolve()

  async open(): Promise<void> {
    const { signal } = this.#stop
    await this.#discovery.announce({ name: 'good', transport: 'tls', port: 7001 }, signal)
    this.#searching = this.#search(signal)
    // A failure is that of check(): until then nothing waits for it.
    this.#searching.catch(() => {})
  }

  send(datagram: Buffer): void {
    void this.#network.send(datagram)
  }

  /** Rejects when the search has ended, or when another does not find the server. */
  async check(): Promise<void> {
    const found = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, found.signal, AbortSignal.timeout(SERVED_WITHIN_MS)])
    const fresh = async (): Promise<void> => {
      for await (const { port } of this.#discovery.find('good', signal)) if (port === 7001) return
      throw new Error('the server that is announced was not found')
    }
    const ended = this.#searching.then(() => {
      throw new Error('a search for servers has ended')
    })
    await Promise.race([fresh(), ended]).finally(() => found.abort())
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#discovery.settled()
  }

  async #search(signal: AbortSignal): Promise<void> {
    for await (const { host, name: of } of this.#discovery.find('good', signal))
      if (of !== 'good' || host !== '127.0.0.1') throw new Error(`found ${of} at ${host}`)
  }
}
