import type { CertificateInfo, CertificatePair } from '@rystra/plugin'
import { Host, type InUse, inUse } from './host.js'
import { Orders, type OrdersHost } from './orders.js'

/** What {@link Keeper} works with. */
export interface KeeperHost extends OrdersHost {
  /** What an instance before this one has for a host: it may not be written yet. */
  inherited(host: string): InUse | undefined
}

const DAY_MS = 24 * 60 * 60 * 1000

/** Keeps the certificates of the hosts it is told of: loads, orders and renews them. */
export class Keeper {
  readonly #of: KeeperHost
  readonly #hosts = new Map<string, Host>()
  readonly #orders: Orders
  #active = false
  #cancelDaily: () => void = () => {}

  constructor(host: KeeperHost) {
    this.#of = host
    this.#orders = new Orders(host, (one) => this.#schedule(one))
  }

  serves(host: string): boolean {
    return this.#hosts.has(host)
  }

  certificate(name: string): CertificatePair | undefined {
    const host = this.#hosts.get(name)
    if (host === undefined) return undefined
    if (!host.visited) {
      host.visited = true
      if (this.#of.options.order === 'visited') this.#schedule(host)
    }
    return host.use?.pair
  }

  inUse(name: string): InUse | undefined {
    return this.#hosts.get(name)?.use
  }

  *list(): Iterable<CertificateInfo> {
    for (const host of this.#hosts.values()) yield host.info(this.#of.name)
  }

  /** Orders from now on. */
  resume(): void {
    if (this.#active) return
    this.#active = true
    this.#orders.resume()
    for (const host of this.#hosts.values()) this.#schedule(host)
    this.#watch()
  }

  /** Orders nothing any more, and breaks off what is in progress. */
  pause(): void {
    this.#active = false
    this.#cancelDaily()
    for (const host of this.#hosts.values()) {
      host.cancel()
      host.cancelSave()
    }
    this.#orders.pause()
  }

  /** Stops, and resolves when nothing is written any more. */
  async stop(): Promise<void> {
    this.pause()
    await this.#orders.settled()
  }

  /** The hosts that have certificates from now on. Resolves when those that there are have been read. */
  async keep(names: ReadonlySet<string>): Promise<void> {
    for (const [name, host] of this.#hosts) {
      if (names.has(name)) continue
      host.cancel()
      this.#orders.delete(host)
      this.#hosts.delete(name)
    }
    const added = [...names].filter((name) => !this.#hosts.has(name)).map((name) => new Host(name))
    for (const host of added) this.#hosts.set(host.name, host)
    await Promise.all(added.map((host) => this.#load(host)))
    for (const host of added) {
      host.loaded = true
      this.#schedule(host)
    }
  }

  async #load(host: Host): Promise<void> {
    const { store, log, random, clock, inherited } = this.#of
    host.use = inherited(host.name)
    if (host.use !== undefined) return
    try {
      const pair = await store.certificate(host.name)
      if (pair === undefined) return
      const use = inUse(pair, random())
      if (use.ends > clock.now()) host.use = use
      else log.warn({ host: host.name }, 'the certificate has expired, and is ordered again')
    } catch (err) {
      log.warn({ err, host: host.name }, 'the certificate cannot be read')
    }
  }

  /** Sets the timer of a host that is kept. */
  #schedule(host: Host): void {
    const { attempts, clock, options } = this.#of
    host.cancel()
    if (!this.#active || !host.loaded || this.#hosts.get(host.name) !== host || host.state === 'ordering') return
    if (host.use === undefined && options.order === 'visited' && !host.visited) return
    const now = clock.now()
    host.next = Math.max(host.use?.renew ?? now, attempts.earliest(host.name), host.busyUntil)
    // Timers are limited to 24 days.
    const cancel = clock.after(Math.min(DAY_MS, Math.max(0, host.next - now)), () => {
      if ((host.next as number) > clock.now()) this.#schedule(host)
      else this.#orders.add(host)
    })
    host.cancel = cancel
  }

  /** Reports certificates that end soon, once a day. */
  #watch(): void {
    const { clock, events, log, name: source } = this.#of
    const now = clock.now()
    for (const host of this.#hosts.values()) {
      if (!host.isExpiring(now) || host.use === undefined) continue
      const { ends } = host.use
      const days = Math.floor((ends - now) / DAY_MS)
      log.warn(
        { host: host.name, expires: new Date(ends).toISOString() },
        'a certificate ends soon and was not renewed'
      )
      events.report('certificate.expiring', { host: host.name, source, expires: ends, days })
    }
    this.#cancelDaily = clock.after(DAY_MS, () => this.#watch())
  }
}
