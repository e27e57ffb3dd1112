import { duplexPair, rawOf } from '@rystra/bytes'
import type { Address, ErrorCode, Logger, ProxySpec, SessionInfo, StreamInfo, VisitorInfo } from '@rystra/model'
import { RystraError } from '@rystra/model'
import type { ResolvedServer } from '@rystra/config'
import type {
  Admission,
  Claim,
  DatagramFlow,
  Details,
  OpenedStream,
  OpenStreamOptions,
  Pacer,
  ProxyKind,
  PublishAddress,
  Published,
  PublishHost,
  Registry,
  UdpPort,
  Visit
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { admitVisitor } from './admission.js'
import { FairPace } from './fair-pace.js'
import type { NumberedFlow } from './flows.js'
import { type Group, groupOf } from './group.js'
import { PublishPorts } from './publish-ports.js'
import type { ServerSession } from './server-session.js'
import type { ServerState } from './state.js'
import { relayVisitor } from './visitor.js'

/** Milliseconds a member of a group has to reach its service: then another is asked, and the visitor has lost little. */
export const MEMBER_PATIENCE = 5000

/** Milliseconds for which a member that could not serve comes last. */
const AILING = 5000

/** Errors that are the member's own, and not the visitor's. */
const ailments: ReadonlySet<string> = new Set<ErrorCode>([
  'mux.closed',
  'session.lost',
  'session.timeout',
  'stream.service-unreachable',
  'stream.timeout',
  'stream.unknown-proxy'
])

/** Who asks to visit a proxy, and what comes of it. */
export type Admit = (visit: Visit) => Details | Promise<Details>

/** The key under which a proxy accepts visits. */
export const visitKey = (kind: string, name: string): string => `visit ${kind} ${name}`

/** One published proxy, and what its kind gets to publish it with. */
export class ServerProxy implements PublishHost {
  readonly spec: ProxySpec
  readonly log: Logger
  readonly owner: ServerSession
  readonly group: Group | undefined
  address = ''
  /** Streams that are open or being opened. */
  streams = 0
  /** As the health checks of its client say; until they have said something, it is not. */
  healthy: boolean
  #ailingUntil = 0
  readonly #state: ServerState
  readonly #kind: ProxyKind
  readonly #gone = new AbortController()
  readonly #ports: PublishPorts
  readonly #claims: string[] = []
  readonly #maxConnections: number
  readonly #pace: FairPace | undefined
  /** Milliseconds without a byte after which a stream is reset, if any. */
  readonly idleTimeout: number | undefined
  #published: Published | undefined
  cancelExpiry: (() => void) | undefined
  /** Whether everybody was told that it is there, so that they are to be told when it is not. */
  announced = false

  constructor(spec: ProxySpec, kind: ProxyKind, owner: ServerSession, state: ServerState) {
    this.spec = spec
    this.group = groupOf(spec)
    this.healthy = spec['healthCheck'] !== true
    this.owner = owner
    this.#kind = kind
    this.#state = state
    this.#ports = new PublishPorts(this, state)
    this.#maxConnections = (spec['maxConnections'] as number | undefined) ?? Number.POSITIVE_INFINITY
    const bandwidth = spec['bandwidth'] as number | undefined
    this.#pace = bandwidth === undefined ? undefined : new FairPace(bandwidth, state.clock)
    this.idleTimeout = spec['idleTimeout'] as number | undefined
    this.log = owner.log.child({ proxy: spec.name })
  }

  get session(): SessionInfo {
    return this.owner.info
  }

  get signal(): AbortSignal {
    return this.#gone.signal
  }

  get hooks(): PublishHost['hooks'] {
    return this.#state.kernel.current.calls
  }

  /** Whether it may have as many streams as there are, and no more. */
  get full(): boolean {
    return this.streams >= this.#maxConnections
  }

  /** Whether a group may choose it. */
  get able(): boolean {
    return this.healthy && !this.full && !this.signal.aborted
  }

  /** Whether a stream of it failed a moment ago, so that others of its group should be asked first. */
  get ailing(): boolean {
    return this.#state.clock.now() < this.#ailingUntil
  }

  /** What came of opening a stream. */
  opened(error?: RystraError): void {
    if (error === undefined) this.#ailingUntil = 0
    else if (ailments.has(error.code)) this.#ailingUntil = this.#state.clock.now() + AILING
    if (error?.code === 'stream.timeout') void this.#ask()
  }

  /** A client that does not answer at all is gone, though its session may not know it yet. */
  async #ask(): Promise<void> {
    if (await this.owner.probe(this.#state.config.takeoverTimeout)) return
    this.owner.destroy(new RystraError('session.timeout', { side: 'client', detail: 'it does not answer' }))
  }

  /** What slows one more stream down, together with the others. */
  newPacer(): Pacer | undefined {
    return this.#pace?.pacer()
  }

  /** Throws when it was taken back: what is being made for it would be nobody's. */
  mustLive(): void {
    if (this.signal.aborted) throw this.signal.reason
  }

  /** What speaks against it after a reload: it is not allowed any more, or would be published differently now. */
  review(kinds: Registry<ProxyKind>, publish: ResolvedServer['publish']): RystraError | undefined {
    const { kind } = this.spec
    if (!kinds.has(kind)) return new RystraError('proxy.unknown-kind', { side: 'server', detail: kind })
    const problem = this.#ports.review(publish)
    if (problem !== undefined) return problem
    return kinds.get(kind) === this.#kind ? undefined : new RystraError('proxy.changed', { side: 'server' })
  }

  /** Makes it reachable. Throws what is to be told to the client; nothing is left behind then. */
  async publish(): Promise<void> {
    try {
      this.#published = await this.#kind.publish(this.spec, this)
      if (this.signal.aborted) {
        // Taken back meanwhile: `close` has been, and did not know of it.
        await this.#closeKind()
        this.mustLive()
      }
      this.address = this.#published.address
    } catch (error) {
      await this.close()
      throw error
    }
  }

  listen(address: PublishAddress, onVisitor: (visitor: Socket) => void): Promise<Address> {
    return this.#ports.listen(address, (visitor) => {
      if (this.signal.aborted) visitor.destroy()
      else onVisitor(visitor)
    })
  }

  listenUdp(address: PublishAddress): Promise<UdpPort> {
    return this.#ports.listenUdp(address)
  }

  async claim<Value>(key: string, value: Value, shown = key): Promise<Claim<Value>> {
    const { claims } = this.#state
    const held = await claims.take(key, { proxy: this, value }, { code: 'proxy.claimed', what: shown })
    if (this.signal.aborted) {
      await claims.drop(key, this)
      this.mustLive()
    }
    this.#claims.push(key)
    return held
  }

  async acceptVisits(name: string, admit: Admit): Promise<void> {
    await this.claim(visitKey(this.spec.kind, name), { proxy: this, admit }, name)
  }

  relay(visitor: Duplex, info: VisitorInfo, elsewhere = this.#state.elsewhere.get(visitor)): void {
    if (elsewhere === undefined) relayVisitor(visitor, info, this, this.#state)
    else {
      const refused = ({ code }: RystraError): void => {
        if (code === 'stream.refused' || !elsewhere()) rawOf(visitor).reset()
      }
      relayVisitor(visitor, info, this, this.#state, { refused, patience: MEMBER_PATIENCE })
    }
  }

  openStream(info: VisitorInfo, options: OpenStreamOptions = {}): Promise<OpenedStream> {
    const { signal, details, datagrams = false, carrier = false, patience } = options
    const [near, far] = duplexPair()
    let flow: NumberedFlow | undefined
    const openFlow = (): NumberedFlow | undefined => {
      flow = this.owner.flows.open()
      return flow
    }
    const giveUp = (): void => void far.destroy()
    return new Promise((resolve, reject) => {
      if (signal?.aborted) giveUp()
      else signal?.addEventListener('abort', giveUp, { once: true })
      relayVisitor(far, info, this, this.#state, {
        carrier,
        ...(patience === undefined ? {} : { patience }),
        ...(details === undefined ? {} : { details }),
        ...(datagrams ? { flow: openFlow } : {}),
        reached: (error, stream, bound, flows) => {
          signal?.removeEventListener('abort', giveUp)
          if (error === undefined) resolve(opened(near, stream, flows ? flow?.datagrams : undefined, bound))
          else reject(error)
        }
      })
    })
  }

  admit(info: VisitorInfo): Admission | Promise<Admission> {
    return admitVisitor(info, this, this.#state)
  }

  tell(notice: Details): void {
    this.owner.tell(this.spec.name, notice)
  }

  /** Takes it back; streams that are open go on. @param error what is told to whoever is still about to publish it */
  async close(error: RystraError = new RystraError('session.lost')): Promise<void> {
    if (this.signal.aborted) return
    this.#gone.abort(error)
    this.cancelExpiry?.()
    await this.#ports.close()
    await Promise.all(this.#claims.splice(0).map((key) => this.#state.claims.drop(key, this)))
    await this.#closeKind()
  }

  async #closeKind(): Promise<void> {
    try {
      await this.#published?.close?.()
    } catch (error) {
      this.log.warn({ err: error }, 'the kind failed to take the proxy back')
    }
  }
}

const opened = (stream: Duplex, info: StreamInfo, datagrams: DatagramFlow | undefined, bound: boolean): OpenedStream =>
  datagrams === undefined ? { stream, info, bound } : { stream, info, bound, datagrams }
