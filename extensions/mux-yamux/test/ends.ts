import { rawOf } from '@rystra/bytes'
import { silentLog } from '@rystra/plugin'
import { duplexPair, turns, until } from '@rystra/testkit'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import yamux from '../src/index.js'
import type { YamuxOptions } from '../src/options.js'
import { YamuxSession } from '../src/session.js'

/** The defaults of the schema, as the kernel fills them in. */
export const defaults = Object.fromEntries(
  Object.entries(yamux.definition.options?.['properties'] as Record<string, { default: unknown }>).map(
    ([name, schema]) => [name, schema.default]
  )
) as YamuxOptions

const open: { destroy(): void }[] = []

/** To be called after each test: closes what it left open. */
export const cleanUp = (): void => {
  for (const each of open.splice(0)) each.destroy()
}

export { turns, until }

export const session = (
  duplex: Duplex,
  side: 'client' | 'server',
  options: Partial<YamuxOptions> = {},
  firstId?: number
): YamuxSession => {
  duplex.on('error', () => {})
  const made = new YamuxSession(
    { kind: 'bytes', duplex, peer: { address: 'memory', port: 1 } },
    side,
    { ...defaults, ...options },
    silentLog,
    firstId
  )
  made.onStream = (stream) => void quiet(stream)
  open.push(made)
  return made
}

/** Does not let errors escape. */
export const quiet = <Stream extends Duplex>(stream: Stream): Stream => stream.on('error', () => {})

/** Two joined sockets of loopback. */
export const sockets = (): Promise<[net.Socket, net.Socket]> =>
  new Promise((resolve, reject) => {
    let client: net.Socket | undefined
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (accepted) => {
      server.close()
      const dialed = client as net.Socket
      const done = (): void => {
        open.push(accepted, dialed)
        resolve([dialed, accepted])
      }
      if (dialed.connecting) dialed.once('connect', done)
      else done()
    })
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo
      client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    })
  })

export interface Pair {
  readonly client: YamuxSession
  readonly server: YamuxSession
  /** Streams that the client opened, as the server sees them. */
  readonly accepted: Duplex[]
}

const pairOn = (near: Duplex, far: Duplex, options: Partial<YamuxOptions>): Pair => {
  const client = session(near, 'client', options)
  const server = session(far, 'server', options)
  const accepted: Duplex[] = []
  server.onStream = (stream) => accepted.push(quiet(stream))
  return { client, server, accepted }
}

/** Two sessions within the process. */
export const memoryPair = (options: Partial<YamuxOptions> = {}): Pair => pairOn(...duplexPair(), options)

/** Two sessions on real sockets. */
export const socketPair = async (options: Partial<YamuxOptions> = {}): Promise<Pair> =>
  pairOn(...(await sockets()), options)

/** One stream, both of its ends; opened by the client. */
export const streamPair = async (pair: Pair): Promise<[Duplex, Duplex]> => {
  const before = pair.accepted.length
  const near = quiet(await pair.client.open())
  await until(() => pair.accepted.length > before, 'the stream at the server')
  return [near, pair.accepted[before] as Duplex]
}

/** Counts what a raw stream brings, and takes it all. */
export const sink = (stream: Duplex): { bytes: number; ended: boolean; error: Error | undefined; closed: boolean } => {
  const state = { bytes: 0, ended: false, error: undefined as Error | undefined, closed: false }
  const raw = rawOf(stream)
  raw.onClose = (error) => {
    state.closed = true
    state.error = error
  }
  raw.read({
    onBytes(_buffer, start, end) {
      state.bytes += end - start
      return true
    },
    onEnd() {
      state.ended = true
    }
  })
  return state
}
