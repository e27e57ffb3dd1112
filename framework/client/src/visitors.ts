import { rawOf } from '@rystra/bytes'
import {
  type Logger,
  type ProxySpec,
  RystraError,
  type StreamInfo,
  toRystraError,
  type VisitorInfo
} from '@rystra/model'
import type { Details, OpenedStream, OpenStreamOptions, Visiting, VisitHost } from '@rystra/plugin'
import { encode } from '@rystra/protocol'
import { HeadReader, refusedBy, StreamRun } from '@rystra/session'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import type { ClientSession } from './client-session.js'
import type { ClientState } from './state.js'

/** Milliseconds the other client has to reach its service, and some. */
const READY_TIMEOUT = 30_000

interface Entry {
  readonly spec: ProxySpec
  readonly gone: AbortController
  visiting: Visiting | undefined
  opening: Promise<void>
}

/** Called once, when the service is reached or is not. */
type Reached = (error: RystraError | undefined, info: StreamInfo) => void

/** The ways in at this client: entries of `client.visitors`. They outlive sessions. */
export class Visitors {
  readonly #state: ClientState
  readonly #entries = new Map<string, Entry>()
  #session: ClientSession | undefined
  #streams = 0

  constructor(state: ClientState) {
    this.#state = state
  }

  /** The session through which to visit from now on. */
  use(session: ClientSession | undefined): void {
    this.#session = session
  }

  list(): { readonly name: string; readonly address: string }[] {
    return [...this.#entries.values()].flatMap(({ spec, visiting }) =>
      visiting === undefined ? [] : [{ name: spec.name, address: visiting.address }]
    )
  }

  /** Opens these and closes all others; what is the same stays. Rejects with what could not be opened. */
  async replace(specs: readonly ProxySpec[]): Promise<void> {
    const next = new Map(specs.map((spec) => [spec.name, JSON.stringify(spec)]))
    const gone = [...this.#entries].filter(([name, { spec }]) => next.get(name) !== JSON.stringify(spec))
    await Promise.all(gone.map(([name]) => this.remove(name)))
    await Promise.all(specs.filter(({ name }) => !this.#entries.has(name)).map((spec) => this.add(spec)))
  }

  /** Opens one more. Rejects with `proxy.*` or `listen.*`. */
  async add(spec: ProxySpec): Promise<{ readonly name: string; readonly address: string }> {
    if (this.#entries.has(spec.name)) {
      throw new RystraError('proxy.name-taken', { side: 'client', detail: spec.name })
    }
    const entry: Entry = { spec, gone: new AbortController(), visiting: undefined, opening: Promise.resolve() }
    this.#entries.set(spec.name, entry)
    entry.opening = this.#open(entry)
    try {
      await entry.opening
    } catch (error) {
      if (this.#entries.get(spec.name) === entry) this.#entries.delete(spec.name)
      entry.gone.abort()
      throw error
    }
    const { address = '' } = entry.visiting ?? {}
    this.#state.log.info({ visitor: spec.name, address }, 'visiting')
    this.#state.events.emit('visiting', { name: spec.name, address })
    return { name: spec.name, address }
  }

  async #open(entry: Entry): Promise<void> {
    const { spec, gone } = entry
    const { proxies } = this.#state.kernel.current.registries
    const kind = proxies.has(spec.kind) ? proxies.get(spec.kind) : undefined
    if (kind?.visit === undefined) {
      throw new RystraError('proxy.unknown-kind', { side: 'client', detail: `${spec.kind} cannot be visited` })
    }
    const log = this.#state.log.child({ visitor: spec.name })
    const visitors = this
    const host: VisitHost = {
      log,
      signal: gone.signal,
      get session() {
        return visitors.#session?.info
      },
      relay: (visitor, of, info, details) => this.#relay(visitor, spec, of, info, { log, details }),
      openStream: (of, info, options) => this.#openStream(spec, of, info, log, options)
    }
    const visiting = await kind.visit(spec, host)
    if (gone.signal.aborted) {
      await visiting.close?.()
      throw new RystraError('session.closing', { side: 'client' })
    }
    entry.visiting = visiting
  }

  /** Closes one, if there. Streams that are open go on. */
  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    entry.gone.abort()
    await entry.opening.catch(() => {})
    try {
      await entry.visiting?.close?.()
    } catch (error) {
      this.#state.log.warn({ err: error, visitor: name }, 'a way in could not be closed')
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((name) => this.remove(name)))
  }

  #openStream(
    spec: ProxySpec,
    of: string,
    info: VisitorInfo,
    log: Logger,
    { signal, details, datagrams = false }: OpenStreamOptions = {}
  ): Promise<OpenedStream> {
    const [near, far] = duplexPair()
    const flow = datagrams ? this.#session?.openFlow() : undefined
    const giveUp = (): void => void far.destroy()
    return new Promise((resolve, reject) => {
      if (signal?.aborted) giveUp()
      else signal?.addEventListener('abort', giveUp, { once: true })
      this.#relay(far, spec, of, info, {
        log,
        details,
        flow: flow?.id,
        closed: () => flow?.datagrams.close(),
        reached: (error, stream) => {
          signal?.removeEventListener('abort', giveUp)
          if (error !== undefined) reject(error)
          else resolve({ stream: near, info: stream, ...(flow === undefined ? {} : { datagrams: flow.datagrams }) })
        }
      })
    })
  }

  #relay(
    visitor: Duplex,
    { name, kind }: ProxySpec,
    of: string,
    from: VisitorInfo,
    how: {
      readonly log: Logger
      readonly details?: Details | undefined
      readonly flow?: number | undefined
      readonly reached?: Reached
      readonly closed?: () => void
    }
  ): void {
    const raw = rawOf(visitor)
    const session = this.#session
    const { kernel, clock, events, refused: tellRefused } = this.#state
    const fail = (error: RystraError, stream?: StreamInfo): void => {
      how.log.warn({ err: error, of }, 'a visit was refused')
      const known = stream === undefined ? {} : { session: stream.session, stream }
      tellRefused({ what: 'stream', name, error }, { who: `${from.host}:${from.port}`, ...known })
    }
    if (session === undefined) {
      const error = new RystraError('session.lost', { side: 'client', detail: 'there is no session now' })
      raw.reset()
      how.closed?.()
      fail(error)
      how.reached?.(error, undefined as never)
      return
    }
    const info: StreamInfo = {
      id: `v${(this.#streams++).toString(36)}`,
      proxy: { name: of, kind },
      visitor: from,
      session: session.info,
      side: 'client'
    }
    const run = new StreamRun(info, kernel.current, clock, (context) => {
      how.closed?.()
      events.emit('streamClose', context)
    })
    events.emit('streamOpen', info)
    let told = false
    const tell = (error?: RystraError): void => {
      if (told) return
      told = true
      how.reached?.(error, info)
    }
    const refuse = (cause: unknown): void => {
      const error = toRystraError(cause, 'stream.reset')
      raw.reset()
      run.refuse(error)
      fail(error, info)
      tell(error)
    }
    const go = (): void => {
      session.openStream().then((stream) => {
        const data = rawOf(stream)
        let head: Buffer
        try {
          head = Buffer.from(
            encode({
              type: 'Visit',
              kind,
              of,
              visitor: [from.host, from.port],
              to: [from.to.host, from.to.port],
              ...(how.flow === undefined ? {} : { flow: how.flow }),
              ...(how.details === undefined ? {} : { details: how.details })
            })
          )
        } catch (error) {
          data.reset()
          refuse(error)
          return
        }
        const refused = (cause: Error): void => {
          const error = toRystraError(cause)
          pumping.reset(error)
          cancel()
          fail(error, info)
          tell(error)
        }
        const cancel = clock.after(READY_TIMEOUT, () => refused(new RystraError('stream.timeout', { side: 'server' })))
        const pumping = run.relay(
          raw,
          data,
          (error) => {
            cancel()
            if (error !== undefined) tell(error)
          },
          {
            headToService: head,
            headOfService: (reader) =>
              new HeadReader(reader, {
                onReady: () => {
                  cancel()
                  tell()
                },
                onRefused: refused
              })
          }
        )
      }, refuse)
    }
    const admitted = run.admit()
    if (admitted === undefined) go()
    else admitted.then((denied) => (denied === undefined ? go() : refuse(refusedBy(denied, 'client'))), refuse)
  }
}
