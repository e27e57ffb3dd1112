import { type Clock, type Details, type Logger, type ReachHost, RystraError } from '@rystra/plugin'
import { limitsOf, UdpServices } from '@rystra/udp'
import { Door } from './door.js'
import { proofIn } from './proof.js'
import { Secret } from './secret.js'
import { nameOf, type PrivateSpec } from './spec.js'

/** Who visits, as the server says. */
interface Who {
  readonly session: string
  readonly identity: string
  readonly client: string
}

const whoIn = ({ session, identity, client }: Details): Who | undefined =>
  typeof session === 'string' && typeof identity === 'string' && typeof client === 'string'
    ? { session, identity, client }
    : undefined

/** The client half of one proxy: has visitors show that they know the secret before the service is touched. */
export class Owner {
  readonly #spec: PrivateSpec
  readonly #name: string
  readonly #clock: Clock
  readonly #secret: Secret | undefined
  readonly #door: Door

  constructor(spec: PrivateSpec, secretFile: string | undefined, clock: Clock, log: Logger) {
    const { secret } = spec
    this.#spec = spec
    this.#name = nameOf(spec)
    this.#clock = clock
    this.#door = new Door(clock)
    const open = secret === undefined && secretFile === undefined
    this.#secret = open ? undefined : new Secret({ secret, secretFile }, this.#name, clock, log)
  }

  /** Joins one visitor's stream to the service. Rejects with `stream.*`. */
  async reach(host: ReachHost): Promise<void> {
    const key = this.#secret?.key
    if (key !== undefined) this.#check(key instanceof Promise ? await this.#read(key) : key, host)
    const { local, protocol } = this.#spec
    if (protocol === 'udp') await this.#reachUdp(String(local), host)
    else await host.relay(await host.connect(String(local)))
  }

  async #reachUdp(local: string, host: ReachHost): Promise<void> {
    const { datagrams } = host
    const log = host.log.child({ proxy: this.#spec.name })
    const services = new UdpServices({
      stream: host.accept(),
      ...(datagrams === undefined ? {} : { datagrams }),
      local,
      limits: limitsOf(this.#spec),
      clock: this.#clock,
      log
    })
    const error = await services.done
    if (error !== undefined) log.info({ err: error }, 'the stream for datagrams broke')
  }

  async #read(key: Promise<Buffer>): Promise<Buffer> {
    try {
      return await key
    } catch (cause) {
      throw this.#refusal('the secret cannot be read', cause)
    }
  }

  #check(key: Buffer, { stream: { details = {} }, log }: ReachHost): void {
    const who = whoIn(details)
    if (who === undefined) throw this.#refusal('the server does not say who visits')
    const reason = this.#door.refuses(key, { name: this.#name, ...who }, proofIn(details))
    if (reason === undefined) return
    log.warn(
      { proxy: this.#name, visitor: who.identity, client: who.client },
      `a visit of ${this.#name} was refused: ${reason}`
    )
    throw this.#refusal(reason)
  }

  /** Says no more to the visitor than a name that nobody has does. */
  #refusal(reason: string, cause: unknown = new Error(reason)): RystraError {
    return new RystraError('stream.no-visits', { side: 'client', detail: this.#name, cause })
  }
}
