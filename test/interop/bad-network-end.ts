/**
 * One end of what bad-network.ts measures, as a process of its own in a network namespace. Its only argument says what to do, as
 * JSON; the answer is one line of JSON on stdout.
 */
import { setUpExtension } from '@rystra/testkit'
import type { DialOptions, Link, ListenOptions, Transport } from '@rystra/plugin'
import { SharedPorts } from '@rystra/net'
import net from 'node:net'
import type { Duplex } from 'node:stream'

interface Task {
  readonly do: 'echo' | 'trips' | 'listen' | 'reconnect'
  readonly host: string
  readonly port: number
  readonly streams?: number
  readonly seconds?: number
  readonly dir?: string
  readonly fingerprint?: string
  readonly times?: number
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task
const say = (value: unknown): void => console.log(JSON.stringify(value))
const { signal } = new AbortController()

const quic = async (side: 'server' | 'client'): Promise<Transport> => {
  const { default: extension } = await import('@rystra/transport-quic')
  const options = task.dir === undefined ? {} : { dir: task.dir, stateDir: task.dir }
  return setUpExtension(extension(), side, options).registered('transports')[0] as Transport
}

/** A service that answers what it gets. */
const echo = (): void => {
  const server = net.createServer({ noDelay: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  server.listen(task.port, task.host, () => say({ port: (server.address() as net.AddressInfo).port }))
}

const connected = (): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ host: task.host, port: task.port, noDelay: true })
    socket.once('connect', () => resolve(socket.off('error', reject).on('error', () => {})))
    socket.once('error', reject)
  })

/** Round trips of 1 KiB on many streams at once. */
const trips = async (): Promise<void> => {
  const { streams = 1, seconds = 5 } = task
  const payload = Buffer.alloc(1024, 1)
  const sockets = await Promise.all(Array.from({ length: streams }, connected))
  const found: number[] = []
  let end = Number.POSITIVE_INFINITY
  const one = (socket: net.Socket): Promise<void> =>
    new Promise((resolve) => {
      let since = performance.now()
      let left = payload.length
      socket.on('data', (chunk: Buffer) => {
        left -= chunk.length
        if (left > 0) return
        const now = performance.now()
        if (Number.isFinite(end)) found.push(now - since)
        if (now > end) {
          socket.destroy()
          resolve()
          return
        }
        since = now
        left = payload.length
        socket.write(payload)
      })
      socket.once('close', () => resolve())
      socket.write(payload)
    })
  const all = sockets.map(one)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  end = performance.now() + seconds * 1000
  await Promise.all(all)
  found.sort((a, b) => a - b)
  const at = (part: number): number => found[Math.min(found.length - 1, Math.floor(part * found.length))] ?? Number.NaN
  const typical = at(0.5)
  say({
    trips: found.length,
    p50: typical,
    p90: at(0.9),
    p99: at(0.99),
    late: found.filter((ms) => ms > 1.5 * typical).length / found.length
  })
}

/** A bare listener over QUIC that answers what it gets. */
const listen = async (): Promise<void> => {
  const transport = await quic('server')
  const options: ListenOptions = { transport: 'quic', host: task.host, port: task.port }
  const onLink = (link: Link): void => {
    if (link.kind !== 'streams') return
    link.onStream = (stream) => void stream.on('error', () => {}).pipe(stream)
  }
  const listener = await transport.listen(options, onLink, signal, new SharedPorts())
  say({ port: listener.address.port, ...listener.join })
}

const firstByte = async (transport: Transport, to: DialOptions): Promise<number> => {
  const since = performance.now()
  const link = await transport.dial(to, signal)
  if (link.kind !== 'streams') throw new Error('not a link of streams')
  const stream: Duplex = await link.open()
  stream.on('error', () => {}).write('hello')
  await new Promise((resolve) => stream.once('data', resolve))
  const took = performance.now() - since
  // What the next one resumes with comes behind the handshake.
  await new Promise((resolve) => setTimeout(resolve, 400))
  link.close()
  return took
}

/** The time from dialing to the first byte of an answer, in the first link and in those that resume. */
const reconnect = async (): Promise<void> => {
  const { host, port, fingerprint = '', times = 10 } = task
  const to: DialOptions = { transport: 'quic', host, port, fingerprint }
  const full: number[] = []
  for (let count = 0; count < times; count += 1) full.push(await firstByte(await quic('client'), to))
  const same = await quic('client')
  await firstByte(same, to)
  const resumed: number[] = []
  for (let count = 0; count < times; count += 1) resumed.push(await firstByte(same, to))
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
  say({ full: median(full), resumed: median(resumed) })
}

await { echo, trips, listen, reconnect }[task.do]()
if (['trips', 'reconnect'].includes(task.do)) process.exit()
