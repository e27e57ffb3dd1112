import type { ConnectConfig } from '@rystra/config'
import { type Logger, RystraError } from '@rystra/model'
import type { Clock, Registries } from '@rystra/plugin'
import { resolveSrv } from 'node:dns/promises'
import { type KnownServer, knownServer } from './known-server.js'
import { configuredServers, mayGo } from './configured-servers.js'
import { resolveServers, type ResolveSrv } from './srv.js'

/** How long a server is passed over that answered with a refusal, before jitter. */
const AVOID_MS = 30_000

/**
 * Refusals of a server that is up: it drains, is full, denies this client, or is one that the client has a session with by
 * another address. The next one may answer otherwise.
 */
const refusals: ReadonlySet<string> = new Set([
  'session.closing',
  'session.limit',
  'session.refused',
  'session.duplicate',
  'auth.refused',
  'auth.no-method'
])

/** What a {@link ServerList} works with. */
export interface ServerListOptions {
  readonly clock: Clock
  readonly log: Logger
  /** @default that of `node:dns/promises` */
  readonly resolveSrv?: ResolveSrv | undefined
  /** @default Math.random */
  readonly random?: () => number
}

/** The servers that the configuration of a client names, and which of them to pass over for now. */
export class ServerList {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #resolve: ResolveSrv
  readonly #random: () => number
  /** When each may be tried before others again. */
  readonly #avoid = new Map<string, number>()

  constructor({ clock, log, resolveSrv: resolve = resolveSrv, random = Math.random }: ServerListOptions) {
    this.#clock = clock
    this.#log = log
    this.#resolve = resolve
    this.#random = random
  }

  /**
   * All of them, in the order in which to try them: by priority, at random within one so that the clients of a server that
   * is gone spread over the others, and behind those the ones that refused a short time ago.
   */
  async inOrder(connect: ConnectConfig, registries: Registries): Promise<readonly KnownServer[]> {
    const known = await this.#known(connect, registries)
    const now = this.#clock.now()
    const rank = ({ name, priority }: KnownServer): readonly number[] => {
      const until = this.#avoid.get(name) ?? 0
      return [until > now ? until : 0, priority]
    }
    return known
      .map((server) => ({ server, rank: rank(server) }))
      .toSorted((a, b) => compare(a.rank, b.rank))
      .map(({ server }) => server)
  }

  async #known(connect: ConnectConfig, registries: Registries): Promise<readonly KnownServer[]> {
    const { srv } = connect
    if (srv !== undefined) return this.#ofRecords(srv, connect, registries)
    return shuffled(configuredServers(connect), this.#random)
  }

  /** Records are not proven, so a target outside the domain must be proven by TLS. */
  async #ofRecords(srv: string, connect: ConnectConfig, registries: Registries): Promise<readonly KnownServer[]> {
    const records = await resolveServers(srv, this.#resolve, this.#random)
    const trusted = records.filter(({ name, port }) => {
      const isTrusted = mayGo({ host: name, port }, connect, registries)
      if (!isTrusted)
        this.#log.warn(
          { srv, target: name },
          'a target outside the domain is not used without a pin, `ca` or `serverName`'
        )
      return isTrusted
    })
    if (trusted.length === 0) {
      throw new RystraError('connect.unreachable', {
        side: 'client',
        detail: `${srv}: all targets are outside the domain`,
        hint: 'set `fingerprint`, `ca` or `serverName` in client.connect, or use targets within the domain'
      })
    }
    return trusted.map(({ name, port, priority }) => knownServer(connect, { host: name, port }, {}, priority))
  }

  /** A server could not be reached, or refused. */
  failed({ name }: KnownServer, { code }: RystraError): void {
    if (!refusals.has(code)) return
    this.#prune()
    this.#avoid.set(name, this.#clock.now() + AVOID_MS * (0.5 + this.#random()))
  }

  connected({ name }: KnownServer): void {
    this.#avoid.delete(name)
  }

  /** Names of records change: those that are over are forgotten. */
  #prune(): void {
    const now = this.#clock.now()
    for (const [name, until] of this.#avoid) if (until <= now) this.#avoid.delete(name)
  }
}

const compare = (a: readonly number[], b: readonly number[]): number => {
  const index = a.findIndex((value, i) => value !== b[i])
  return index < 0 ? 0 : (a[index] as number) - (b[index] as number)
}

const shuffled = <Item>(items: readonly Item[], random: () => number): Item[] =>
  items
    .map((item) => ({ item, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
