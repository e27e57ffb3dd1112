import { readdirSync } from 'node:fs'
import { loopback } from '../../bench/address.js'
import type { Program, Scratch } from '../../bench/scratch.js'
import { cpuSeconds, residentBytes } from '../../bench/usage.js'
import { freePort } from '../visitors/free-port.js'
import { type Place, watchDrops } from '../visitors/socket-drops.js'
import { type Certificates, Tunnel } from '../visitors/tunnel.js'
import { DatagramLoad, type Mirror } from './datagrams.js'
import type { Services } from './services.js'
import { Visitors } from './visitors.js'

/** What is put on each tunnel. */
export interface Load {
  /** Datagrams a second. */
  readonly datagrams: number
  readonly downloads: number
}

/** What an end uses. */
const usage = ({ pid }: Program): string =>
  `${(residentBytes([pid]) / 1e6).toFixed(0)} MB and ${readdirSync(`/proc/${pid}/fd`).length} descriptors`

/** Metrics that say where datagrams were lost, and what waits. */
const interesting = /^rystra_(udp|client_(datagrams|packets|queued|blocked))[a-z_]*(\{.*\})? [^0]/

/** Two processes, `rystra serve` and `connect`, all load that is put on them, and what became of it. */
export class SoakedTunnel {
  readonly name: string
  readonly #ends: readonly [Program, Program]
  readonly #metrics: readonly number[]
  readonly #datagrams: DatagramLoad
  readonly #visitors: Visitors
  readonly #drops: () => string
  readonly #begin: string
  readonly #cpu: number
  readonly #since = performance.now()

  private constructor(
    name: string,
    ends: readonly [Program, Program],
    metrics: readonly number[],
    datagrams: DatagramLoad,
    visitors: Visitors,
    places: readonly Place[]
  ) {
    this.name = name
    this.#ends = ends
    this.#metrics = metrics
    this.#datagrams = datagrams
    this.#visitors = visitors
    this.#drops = watchDrops(places)
    this.#begin = this.#usage()
    this.#cpu = cpuSeconds(ends.map(({ pid }) => pid))
  }

  static async start(
    scratch: Scratch,
    name: 'quic' | 'tls',
    { ca, cert, key }: Certificates,
    { services, mirror }: { services: Services; mirror: Mirror },
    load: Load
  ): Promise<SoakedTunnel> {
    const [web, echo, bulk, udp, ...metrics] = (await Promise.all(Array.from({ length: 6 }, freePort))) as [
      number,
      number,
      number,
      number,
      ...number[]
    ]
    const listen = { host: loopback }
    const prometheus = (port: number | undefined) => ({
      use: '@rystra/observe-prometheus',
      options: { listen: { ...listen, port } }
    })
    const tunnel = await Tunnel.serve(scratch, {
      name,
      extensions: [
        '@rystra/proxy-udp',
        `@rystra/transport-${name}`,
        { use: '@rystra/proxy-http', options: { listen: [{ ...listen, port: web }] } }
      ],
      listen: { transport: name, cert, key },
      connect: { transport: name, ca },
      serverOnly: [prometheus(metrics[0])],
      clientOnly: [prometheus(metrics[1])]
    })
    const client = await tunnel.connect('soak', {
      proxies: [
        { name: 'app', kind: 'http', local: services.web },
        { name: 'echo', kind: 'tcp', local: services.echo, port: echo },
        { name: 'bulk', kind: 'tcp', local: services.bulk, port: bulk },
        { name: 'udp', kind: 'udp', local: mirror.port, port: udp }
      ]
    })
    const datagrams = await DatagramLoad.start(name === 'quic' ? 0 : 1000, mirror, udp, load.datagrams)
    const places: Place[] = [
      { name: "the server's public port", local: udp },
      { name: "the server's port of QUIC", local: tunnel.port },
      { name: "the client's socket of QUIC", remote: tunnel.port },
      { name: "the client's sockets to the service", remote: mirror.port },
      { name: 'the service (of this script)', local: mirror.port },
      { name: 'visitors (of this script)', remote: udp }
    ]
    const ends = [tunnel.server, client] as const
    return new SoakedTunnel(name, ends, metrics, datagrams, new Visitors({ web, echo, bulk }, load.downloads), places)
  }

  get failures(): number {
    const { requests, websockets, streams } = this.#visitors
    return requests.failed + websockets.failed + streams.failed
  }

  #usage(): string {
    return this.#ends.map((end, index) => `${index === 0 ? 'server' : 'client'} ${usage(end)}`).join(', ')
  }

  /** One line, now and then. */
  summary(): string {
    const { websockets, streams, requests, bulkBytes } = this.#visitors
    const { sent, reached, back } = this.#datagrams
    return `${this.name}: datagrams ${sent}/${reached}/${back}, websockets ${websockets}, streams ${streams}, requests ${requests}, bulk ${(bulkBytes / 1e6).toFixed(0)} MB, ${this.#usage()}`
  }

  /** Stops the load, and tells all that was found. */
  async finish(): Promise<string> {
    const seconds = (performance.now() - this.#since) / 1000
    const { websockets, streams, requests, bulkBytes } = this.#visitors
    const cpu = cpuSeconds(this.#ends.map(({ pid }) => pid)) - this.#cpu
    this.#datagrams.stop()
    await this.#visitors.stop()
    // What is on the way arrives, or does not.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    // Sockets of other programs are of no interest.
    const lost = this.#drops()
      .split(', ')
      .filter((one) => !one.endsWith(' at another'))
      .join(', ')
    const lines = [
      `${this.name}, ${seconds.toFixed(0)} s`,
      `  datagrams   ${this.#datagrams}`,
      `  no room in  ${lost === '' ? 'no socket' : lost}`,
      `  websockets  ${websockets}`,
      `  streams     ${streams}`,
      `  requests    ${requests}`,
      `  downloads   ${((bulkBytes * 8) / seconds / 1e6).toFixed(0)} Mbit/s`,
      `  CPU         ${((100 * cpu) / seconds).toFixed(0)} % of a core for both ends`,
      `  memory      at the start ${this.#begin}; at the end ${this.#usage()}`
    ]
    for (const [index, port] of this.#metrics.entries()) {
      const text = await (await fetch(`http://${loopback}:${port}/metrics`)).text()
      for (const line of text.split('\n'))
        if (interesting.test(line)) lines.push(`  ${index === 0 ? 'server' : 'client'}  ${line}`)
    }
    this.#datagrams.close()
    return lines.join('\n')
  }
}
