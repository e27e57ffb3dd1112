import { fingerprintOf, selfSigned } from '@rystra/certificates'
import type { RystraConfig } from '@rystra/config'
import { systemClock } from '@rystra/kernel'
import muxYamux from '@rystra/mux-yamux'
import type { Clock } from '@rystra/plugin'
import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportTls from '@rystra/transport-tls'
import transportWs from '@rystra/transport-ws'
import { expect } from 'chai'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Middlebox, tcpMiddlebox, udpMiddlebox } from './middlebox.js'
import { cleanUp, echo, portOf, startClient, startServer, startService, until, visit, visitorPort } from './tunnel.js'

type Uses = NonNullable<RystraConfig['extensions']>

/** Milliseconds between two signs of life, and ticks of 10 ms after which a middlebox forgets: 15 s to 90 s. */
const INTERVAL_MS = 100
const SILENCE = 60

/**
 * Beats at each interval, and takes none for missed: a client allows three times the interval of its server, within which a busy machine
 * does not always answer.
 */
const clock: Clock = { ...systemClock, now: () => 0 }

const heartbeat = { interval: INTERVAL_MS, timeout: 60_000 }

interface Way {
  readonly transport: string
  readonly muxer?: string
  readonly secure?: true
  readonly uses: () => Uses
}

const tls = { transport: 'tls', secure: true, uses: () => [transportTls()] } as const
const ws = (transport: 'ws' | 'wss') => ({
  transport,
  ...(transport === 'wss' && ({ secure: true } as const)),
  uses: () => [transportWs({ pingInterval: INTERVAL_MS })]
})
const quic = { transport: 'quic', secure: true, uses: () => [transportQuic({ keepAlive: INTERVAL_MS })] } as const

/** Links on which something sends bytes while all streams are silent. */
const kept: readonly Way[] = [
  { transport: 'tcp', muxer: 'yamux', uses: () => [] },
  { ...tls, muxer: 'yamux' },
  { ...ws('ws'), muxer: 'yamux' },
  { ...ws('wss'), muxer: 'yamux' },
  { ...ws('ws'), muxer: 'direct' },
  { ...ws('wss'), muxer: 'direct' },
  { transport: 'http2', secure: true, uses: () => [transportHttp2()] },
  { transport: 'h2c', uses: () => [transportHttp2()] },
  quic
]

/** Links of single streams of bytes: nothing can be sent between them, so that the kernel has to. */
const bare: readonly Way[] = [
  { transport: 'tcp', muxer: 'direct', uses: () => [] },
  { ...tls, muxer: 'direct' }
]

const nameOf = ({ transport, muxer }: Way): string => `${transport} ${muxer ?? 'by itself'}`

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-liveness-'))
const [cert, key] = [path.join(dir, 'cert.pem'), path.join(dir, 'key.pem')]
let fingerprint = ''

/** A visitor with an open stream through a middlebox. */
const open = async (way: Way, beat = heartbeat): Promise<{ visitor: net.Socket; box: Middlebox; ports: number[] }> => {
  const { transport, muxer, secure, uses } = way
  const at = { transport, host: '127.0.0.1' }
  const listen = [{ ...at, port: 0, ...(secure && { cert, key }) }]
  const server = await startServer({ listen, heartbeat: beat }, uses())
  const target = portOf(server)
  const box = await (transport === 'quic' ? udpMiddlebox : tcpMiddlebox)(target, SILENCE)
  const connect = { ...at, port: box.port, ...(muxer && { muxer }), ...(secure && { fingerprint }) }
  const proxies = [{ name: 'echo', kind: 'tcp', local: await startService(echo) }]
  const client = await startClient(box.port, proxies, { connect }, uses(), { clock })
  const visitor = await visit(visitorPort(client, 'echo'))
  visitor.write('before')
  await once(visitor, 'data')
  box.begin()
  return { visitor, box, ports: [target, box.port] }
}

/** The answer to one more message, after the middlebox has waited for twice its time. */
const survives = async ({ visitor, box }: Awaited<ReturnType<typeof open>>): Promise<string> => {
  const begin = box.ticks
  const closed = new Promise<string>((resolve) => {
    visitor.on('error', () => {}).once('close', () => resolve('closed'))
  })
  await until(() => box.ticks >= begin + 2 * SILENCE)
  const answer = new Promise<string>((resolve) => visitor.once('data', (chunk) => resolve(String(chunk))))
  if (!visitor.destroyed) visitor.write('after')
  return Promise.race([answer, closed])
}

/** Connections of these ports and their keep-alive timers, in seconds, as the kernel of Linux tells. */
const keepAlives = (ports: readonly number[]): (number | undefined)[] =>
  readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', remote = '', state]) => {
      const port = (address: string): number => Number.parseInt(address.split(':')[1] ?? '', 16)
      return state === '01' && (ports.includes(port(local)) || ports.includes(port(remote)))
    })
    .map(([, , , , , timer = '']) => {
      const [kind, when = ''] = timer.split(':')
      return kind === '02' ? Number.parseInt(when, 16) / 100 : undefined
    })

describe('a silent stream through a middlebox that forgets silent connections', function () {
  this.timeout(60_000)
  const survivors = new Map<Way, Promise<string>>()
  const boxes = new Map<Way, Middlebox>()

  before(async () => {
    const made = await selfSigned({ commonName: 'liveness', names: ['127.0.0.1'], keyType: 'ec' })
    writeFileSync(cert, made.cert)
    writeFileSync(key, made.key)
    fingerprint = fingerprintOf(made.cert)
    // All wait at the same time.
    for (const way of kept) {
      const opened = await open(way)
      boxes.set(way, opened.box)
      survivors.set(way, survives(opened))
    }
  })

  after(async () => {
    await cleanUp()
    rmSync(dir, { recursive: true, force: true })
  })

  for (const way of kept) {
    it(`goes on over ${nameOf(way)}`, async () => {
      expect(await survivors.get(way)).to.equal('after')
      expect(boxes.get(way)?.cut, 'connections that were cut').to.equal(0)
    })
  }

  it('is cut where nothing is sent, so that the cases above can fail', async () => {
    const quiet: Way = { transport: 'tcp', muxer: 'yamux', uses: () => [muxYamux({ keepAliveInterval: 60_000 })] }
    expect(await survives(await open(quiet, { interval: 30_000, timeout: 60_000 }))).to.equal('closed')
  })

  for (const way of bare) {
    it(`is probed by the kernel at both ends within 15 s over ${nameOf(way)}`, async function () {
      if (!existsSync('/proc/net/tcp')) this.skip()
      const { ports } = await open(way)
      // The half of them: the ends of the hop do not probe. A connection with bytes in flight has another timer for a moment.
      const probed = (port: number): boolean => {
        const timers = keepAlives([port])
        return timers.length > 0 && timers.filter((timer = 99) => timer <= 15).length * 2 === timers.length
      }
      await until(() => ports.every(probed))
    })
  }
})
