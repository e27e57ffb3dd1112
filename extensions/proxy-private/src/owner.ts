import { type Clock, type Details, type Logger, type ReachHost, RystraError } from '@rystra/plugin'
import { type DatagramMetrics, liveService, UdpServices } from '@rystra/udp'
import { VisitGuard } from './visit-guard.js'
import { proofIn } from './proof.js'
import { Secret } from './secret.js'
import { nameOf, type PrivateSpec } from './spec.js'

/** VisitorIdentity visits, as the server says. */
interface VisitorIdentity {
  readonly session: string
  readonly identity: string
  readonly client: string
}

const visitorIn = ({ session, identity, client }: Details): VisitorIdentity | undefined =>
  typeof session === 'string' && typeof identity === 'string' && typeof client === 'string'
    ? { session, identity, client }
    : undefined

/** What owners share. */
interface OwnerParts {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: DatagramMetrics
}

/** The client half of one proxy: verifies the secret of visitors before it connects to the service. */
export class Owner {
  readonly #spec: PrivateSpec
  readonly #name: string
  readonly #clock: Clock
  readonly #metrics: DatagramMetrics
  readonly #secret: Secret | undefined
  readonly #guard: VisitGuard

  constructor(spec: PrivateSpec, secretFile: string | undefined, { clock, log, metrics }: OwnerParts) {
    const { secret } = spec
    this.#spec = spec
    this.#name = nameOf(spec)
    this.#clock = clock
    this.#metrics = metrics
    this.#guard = new VisitGuard(clock)
    const open = secret === undefined && secretFile === undefined
    this.#secret = open ? undefined : new Secret({ secret, secretFile }, this.#name, clock, log)
  }

  /** Relays one visitor's stream to the service. Rejects with `stream.*`. */
  async reach(host: ReachHost): Promise<void> {
    const key = this.#secret?.key
    if (key !== undefined) this.#check(key instanceof Promise ? await this.#read(key) : key, host)
    const { local, protocol } = this.#spec
    if (protocol === 'udp') await this.#reachUdp(host)
    else await host.relayTo(String(local))
  }

  async #reachUdp(host: ReachHost): Promise<void> {
    const { datagrams } = host
    const log = host.log.child({ proxy: this.#spec.name })
    const services = new UdpServices({
      stream: host.accept(),
      ...(datagrams === undefined ? {} : { datagrams }),
      ...liveService(() => host.spec as PrivateSpec),
      clock: this.#clock,
      log
    })
    const unwatch = this.#metrics.watch(this.#name, services)
    const error = await services.done
    unwatch()
    if (error !== undefined) log.info({ err: error }, 'the stream for datagrams was lost')
  }

  async #read(key: Promise<Buffer>): Promise<Buffer> {
    try {
      return await key
    } catch (cause) {
      throw this.#refusal('reading the secret failed', cause)
    }
  }

  #check(key: Buffer, { stream: { details = {} }, log }: ReachHost): void {
    const visitor = visitorIn(details)
    if (visitor === undefined) throw this.#refusal('the server did not report the visitor')
    const reason = this.#guard.refuses(key, { name: this.#name, ...visitor }, proofIn(details))
    if (reason === undefined) return
    log.warn(
      { proxy: this.#name, visitor: visitor.identity, client: visitor.client },
      `a visit of ${this.#name} was refused: ${reason}`
    )
    throw this.#refusal(reason)
  }

  /** The visitor gets the same error as for an unknown name. */
  #refusal(reason: string, cause: unknown = new Error(reason)): RystraError {
    return new RystraError('stream.no-visits', { side: 'client', detail: this.#name, cause })
  }
}
