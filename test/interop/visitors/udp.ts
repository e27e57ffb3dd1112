import { createHash } from 'node:crypto'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { needed } from '../../bench/peer.js'
import { type Program, type Scratch, untilSays } from '../../bench/scratch.js'
import { cpuSeconds } from '../../bench/usage.js'
import { boundaries, startMirror } from './datagrams.js'
import { type Place, untilDrained, watchDrops } from './socket-drops.js'
import { must, outcome, type Report, run, type Trial } from './trial.js'
import { makeCertificates, type Plan, Tunnel } from './tunnel.js'

/** Megabits a second that are sent, and for how long. */
const [megabits, seconds] = [100, Number(process.env['RYSTRA_INTEROP_SECONDS'] ?? 8)]

/** A text of its own for each name, so that an answer is known to be the one that was asked for. */
const textOf = (name: string): string => createHash('sha512').update(name).digest('hex')
const big = 'big.test'

const startDns = async (scratch: Scratch): Promise<number> => {
  const port = await freePort()
  const records = Array.from({ length: 100 }, (_, index) => `host-record=h${index}.test,192.0.2.${index}`)
  const texts = Array.from({ length: 30 }, (_, index) => `txt-record=${big},${index}-${textOf(String(index))}`)
  const file = scratch.write(
    'dnsmasq.conf',
    `no-resolv
no-hosts
no-daemon
bind-interfaces
listen-address=${loopback}
port=${port}
pid-file=${scratch.dir}/dnsmasq.pid
edns-packet-max=8192
local=/test/
cache-size=0
${[...records, ...texts].join('\n')}
`
  )
  await untilSays(scratch.start(needed('dnsmasq'), [`--conf-file=${file}`, '--log-facility=-']), /started/)
  return port
}

const dig = async (port: number, ...args: string[]): Promise<string> => {
  const { stdout } = await run('dig', [`@${loopback}`, '-p', String(port), '+tries=1', '+time=5', ...args])
  return stdout
}

const small = async (port: number): Promise<string> => {
  const since = performance.now()
  // Ten at once, each from a port of its own.
  for (let ten = 0; ten < 100; ten += 10) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const answer = await dig(port, `h${ten + index}.test`, '+short', '+notcp')
        must(answer.trim() === `192.0.2.${ten + index}`, `h${ten + index}: ${answer}`)
      })
    )
  }
  return `100 names by dig, all right, ${Math.round(performance.now() - since)} ms`
}

const large = async (port: number): Promise<string> => {
  const whole = async (...args: string[]): Promise<number> => {
    const answer = await dig(port, big, 'TXT', ...args)
    for (let index = 0; index < 30; index += 1)
      must(answer.includes(`${index}-${textOf(String(index))}`), `record ${index} is missing:\n${answer}`)
    return Number(/MSG SIZE\s+rcvd: (\d+)/.exec(answer)?.[1])
  }
  const bytes = await whole('+bufsize=8192', '+notcp', '+ignore')
  must(bytes > 3500, `only ${bytes} bytes`)
  const cut = await dig(port, big, 'TXT', '+bufsize=512', '+notcp', '+ignore')
  must(/flags:[^;]* tc/.test(cut), cut)
  const tcp = await whole('+bufsize=512')
  return `${bytes} bytes in one datagram; cut to 512 with the flag TC, then ${tcp} bytes over TCP on the same port`
}

interface Sum {
  readonly lost_percent: number
  readonly lost_packets: number
  readonly packets: number
  readonly jitter_ms: number
}

const nothing: Sum = { lost_percent: 100, lost_packets: 0, packets: 0, jitter_ms: 0 }

/**
 * Its control connection is of TCP, to the same port. Its own sockets hold 2 MB: with the usual 200 kB they lose some themselves, when
 * both ends of the tunnel have to share their core with it.
 */
const iperf = async (port: number, way: readonly string[], at?: Between): Promise<string> => {
  const load = ['-u', '-b', `${megabits}M`, '-t', String(seconds), '-l', '1400', '-w', '2M', '-J']
  const cpu = (): number => cpuSeconds((at?.ends ?? []).map(({ pid }) => pid))
  const before = cpu()
  // What is left of an earlier load would take the room of its first datagram, which it sends only once.
  await untilDrained()
  const drops = watchDrops(at === undefined ? [] : placesOf(at))
  const { stdout } = await outcome('iperf3', ['-c', loopback, '-p', String(port), ...load, ...way], 120_000)
  const full = drops()
  const { end, error } = JSON.parse(stdout) as { end?: { sum?: Sum }; error?: string }
  const { lost_percent: lost, lost_packets: count, packets, jitter_ms: jitter } = end?.sum ?? nothing
  const arrived = (packets - count) * 1400 * 8
  must(error === undefined && arrived > 0, error ?? stdout)
  const used = at === undefined ? '' : `, ${((100 * (cpu() - before)) / seconds).toFixed(0)} % of a core for both ends`
  return `${(arrived / seconds / 1e6).toFixed(1)} Mbit/s arrived, ${count} of ${packets.toLocaleString('en')} lost (${lost.toFixed(2)} %), jitter ${jitter.toFixed(2)} ms${used}${full === '' ? '' : `; no room for ${full}`}`
}

/** What stands between iperf3 and its server. */
interface Between {
  readonly ends: readonly Program[]
  readonly service: number
  readonly published: number
  readonly tunnel: number
}

const placesOf = ({ service, published, tunnel }: Between): Place[] => [
  { name: "the server's public port", local: published },
  { name: "the client's way to the service", remote: service },
  { name: "the tunnel's QUIC", local: tunnel },
  { name: "iperf3's server", local: service },
  { name: 'iperf3', remote: published }
]

const startIperf = async (scratch: Scratch): Promise<number> => {
  const port = await freePort()
  const server = scratch.start('iperf3', ['-s', '-B', loopback, '-p', String(port), '--forceflush'])
  await untilSays(server, /listening/)
  return port
}

const plans = async (scratch: Scratch): Promise<Plan[]> => {
  const { ca, cert, key } = await makeCertificates(scratch, loopback)
  const quic = '@rystra/transport-quic'
  return [
    { name: 'tcp', extensions: ['@rystra/proxy-udp'] },
    {
      name: 'quic',
      extensions: ['@rystra/proxy-udp', quic],
      listen: { transport: 'quic', cert, key },
      connect: { transport: 'quic', ca }
    }
  ]
}

const through = async (scratch: Scratch, plan: Plan, services: Services, report: Report): Promise<void> => {
  const { dns, load, mirror } = services
  const tunnel = await Tunnel.serve(scratch, plan)
  const [at, port, echo] = [await freePort(), await freePort(), await freePort()]
  const both = (name: string, local: number | undefined, remote: number): object[] =>
    local === undefined ? [] : ['udp', 'tcp'].map((kind) => ({ name: `${name}-${kind}`, kind, local, port: remote }))
  const proxies = [...both('dns', dns, at), ...both('iperf', load, port)] as Readonly<Record<string, unknown>>[]
  const client = await tunnel.connect(plan.name, {
    proxies: [...proxies, { name: 'mirror', kind: 'udp', local: mirror, port: echo }]
  })
  const ends = [tunnel.server, client]
  report.watch(...ends)
  const between = { ends, service: load ?? 0, published: port, tunnel: tunnel.port }
  if (dns !== undefined) {
    await report.check(`dig, small, over ${plan.name}`, () => small(at))
    await report.check(`dig, large, over ${plan.name}`, () => large(at))
  }
  await report.check(`boundaries, over ${plan.name}`, () => boundaries(echo))
  if (load !== undefined) {
    await report.check(`iperf3 -u ${megabits} Mbit/s up, over ${plan.name}`, () => iperf(port, [], between))
    await report.check(`iperf3 -u ${megabits} Mbit/s down, over ${plan.name}`, () => iperf(port, ['-R'], between))
  }
}

interface Services {
  readonly dns: number | undefined
  readonly load: number | undefined
  readonly mirror: number
}

export const udp: Trial = {
  name: 'udp',
  programs: [],
  async use(scratch, report) {
    const dns = report.has('dig', 'dig', 'dnsmasq') ? await startDns(scratch) : undefined
    const load = report.has('iperf3 -u', 'iperf3') ? await startIperf(scratch) : undefined
    const mirror = await startMirror()
    try {
      if (load !== undefined) await report.check('iperf3 -u, no tunnel', () => iperf(load, []))
      for (const plan of await plans(scratch)) await through(scratch, plan, { dns, load, mirror: mirror.port }, report)
    } finally {
      mirror.close()
    }
  }
}
