import type { ByteLink, Link, Listener, Logger, RystraError, Side, Transport } from '@rystra/plugin'
import { issueServer, makeAuthority } from '@rystra/certificates'
import { SharedPorts } from '@rystra/net'
import { failure, FakeClock, setUpExtension, turns, until } from '@rystra/testkit'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import transportWs from '../src/index.js'

/** Where the certificates of this run are: relative paths in options start here. */
export const dir = mkdtempSync(path.join(tmpdir(), 'rystra-ws-'))
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))

export const authority = await makeAuthority({ keyType: 'ec', commonName: 'An authority' })
export const save = (name: string, text: string): string => {
  writeFileSync(path.join(dir, name), text)
  return name
}
const own = await issueServer(authority, { keyType: 'ec', commonName: 'localhost', names: ['localhost', '127.0.0.1'] })
export const ca = save('ca.pem', authority.cert)
export const served = { cert: save('server.pem', own.cert), key: save('server.key', own.key) }
export const trusted = { ca }

/** A line of a log. */
export interface Line {
  readonly level: string
  readonly code: string
  readonly message: string
}

/** Keeps the errors that are logged. */
export const logInto = (lines: Line[]): Logger => {
  const at = (level: string) => (fields: { err?: RystraError } | string, message?: string) => {
    if (typeof fields === 'object' && fields.err !== undefined)
      lines.push({ level, code: fields.err.code, message: message ?? '' })
  }
  const log = { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  return { ...log, child: () => log } as unknown as Logger
}

/** What this run started; ended in reverse. */
const started: (() => unknown)[] = []
export const later = (end: () => unknown): void => void started.push(end)
export const cleanUp = async (): Promise<void> => {
  for (const end of started.splice(0).reverse()) await end()
}

/** The transport as a kernel would have it. */
export const registered = (name: 'ws' | 'wss', side: Side = 'server', options = {}): Transport =>
  setUpExtension(transportWs(), side, { dir, ...options }).registries.transports.get(name)

export const never = new AbortController().signal

/** A listener with its links, what it logged, and its clock. */
export interface Listening {
  readonly port: number
  readonly listener: Listener
  readonly links: ByteLink[]
  readonly lines: Line[]
  readonly clock: FakeClock
  readonly ports: SharedPorts
}

const quiet = (link: Link): ByteLink => {
  if (link.kind !== 'bytes') throw new Error('not a link of bytes')
  link.duplex.on('error', () => {})
  later(() => link.duplex.destroy())
  return link
}

export const listen = async (
  transport: 'ws' | 'wss',
  options: Readonly<Record<string, unknown>> = {},
  ports = new SharedPorts(),
  port = 0
): Promise<Listening> => {
  const links: ByteLink[] = []
  const lines: Line[] = []
  const clock = new FakeClock()
  const entry = { transport, host: '127.0.0.1', port, ...(transport === 'wss' ? served : {}), ...options }
  const made = registered(transport, 'server', { clock, log: logInto(lines) })
  const listener = await made.listen(entry, (link) => links.push(quiet(link)), never, ports)
  later(() => listener.close())
  return { port: listener.address.port, listener, links, lines, clock, ports }
}

export const dial = async (
  transport: 'ws' | 'wss',
  port: number,
  options: Readonly<Record<string, unknown>> = {},
  { signal = never, clock = new FakeClock() } = {}
): Promise<ByteLink> => {
  const to = { transport, host: '127.0.0.1', port, proxy: 'none', ...(transport === 'wss' ? trusted : {}), ...options }
  return quiet(await registered(transport, 'client', { clock }).dial(to, signal))
}

/** A link from both ends. */
export const joined = async (
  transport: 'ws' | 'wss',
  listening: Listening,
  options: Readonly<Record<string, unknown>> = {}
): Promise<{ near: ByteLink; far: ByteLink }> => {
  const before = listening.links.length
  const near = await dial(transport, listening.port, options)
  await until(() => listening.links.length > before)
  return { near, far: listening.links[before] as ByteLink }
}

export { failure, turns, until }

/** A server for TCP that does as the test sets it, on a free port. */
export const serve = async (onSocket: (socket: net.Socket) => void): Promise<number> => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

/** All that comes until the end. */
export const readAll = (stream: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
    stream.once('error', reject)
    stream.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })

/** Connects, says this, and reads all that comes back. */
export const say = async (port: number, ...texts: readonly (string | Buffer)[]): Promise<string> => {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  later(() => socket.destroy())
  await once(socket, 'connect')
  for (const text of texts) socket.write(text)
  const answer = await readAll(socket)
  socket.end()
  return answer
}
