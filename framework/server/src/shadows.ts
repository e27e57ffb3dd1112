import { type ProxyRecord, proxyRecordOf, specHash } from '@rystra/cluster'
import { background, RystraError, toRystraError } from '@rystra/model'
import type { DirectoryRow } from '@rystra/plugin'
import { isDeepStrictEqual } from 'node:util'
import { ServerProxy } from './proxy.js'
import { notBoundHere } from './ports.js'
import { type Forwarding, RemoteOwner } from './remote-owner.js'
import type { ServerState } from './state.js'

/** Milliseconds after which one that could not be published is tried again: what it needs may be held for a moment only. */
const RETRY_MS = 1000

/** A proxy of another server. */
interface Shadow {
  row: DirectoryRow
  /** As the directory lists it; nothing when it is gone. */
  wanted: ProxyRecord | undefined
  /** As it is published here. */
  record?: ProxyRecord
  proxy?: ServerProxy | undefined
  working: boolean
  /** Code of the last attempt that failed: it is logged once. */
  failed?: string | undefined
  cancelRetry?: (() => void) | undefined
}

/** Proxies of other servers, published here as well: their visitors come in at this server, and are passed on. */
export class Shadows {
  readonly #state: ServerState
  readonly #forwarding: Forwarding
  readonly #onPublished: (proxy: ServerProxy) => void
  readonly #shadows = new Map<string, Shadow>()
  /** Of which something is under way. */
  #working = 0
  #settled: (() => void)[] = []

  /** @param onPublished Called when one can be visited */
  constructor(state: ServerState, forwarding: Forwarding, onPublished: (proxy: ServerProxy) => void) {
    this.#state = state
    this.#forwarding = forwarding
    this.#onPublished = onPublished
  }

  *proxies(): Iterable<ServerProxy> {
    for (const { proxy } of this.#shadows.values()) if (proxy !== undefined) yield proxy
  }

  /** By the id of the proxy. */
  find(id: string): ServerProxy | undefined {
    return this.#shadows.get(id)?.proxy
  }

  /** A row is there, or has changed. Throws a `TypeError` for a record that is malformed. */
  put(row: DirectoryRow): void {
    const record = proxyRecordOf(row)
    if (record === undefined) return
    const shadow = this.#shadows.get(row.id) ?? { row, wanted: record, working: false }
    this.#shadows.set(row.id, shadow)
    shadow.row = row
    shadow.wanted = record
    this.#work(shadow)
  }

  remove({ id, fence }: DirectoryRow): void {
    const shadow = this.#shadows.get(id)
    if (shadow === undefined || shadow.row.fence !== fence) return
    shadow.wanted = undefined
    this.#work(shadow)
  }

  /** Resolves when nothing is under way: what can be published is. */
  settled(): Promise<void> {
    if (this.#working === 0) return Promise.resolve()
    return new Promise((resolve) => this.#settled.push(resolve))
  }

  /** Publishes them as the configuration says now. */
  renew(): void {
    for (const shadow of this.#shadows.values()) {
      shadow.record = undefined
      this.#work(shadow)
    }
  }

  /** Takes all of them back. Resolves when that is done. */
  async clear(): Promise<void> {
    const shadows = [...this.#shadows.values()]
    this.#shadows.clear()
    await Promise.all(
      shadows.map((shadow) => {
        shadow.wanted = undefined
        shadow.cancelRetry?.()
        return shadow.proxy?.withdraw()
      })
    )
  }

  #work(shadow: Shadow): void {
    background(this.#bringUpToDate(shadow), this.#state.log, 'a proxy of another server differs from its record')
  }

  /** One thing at a time for each; what is wanted may change meanwhile. */
  async #bringUpToDate(shadow: Shadow): Promise<void> {
    if (shadow.working) return
    shadow.working = true
    this.#working += 1
    shadow.cancelRetry?.()
    shadow.cancelRetry = undefined
    try {
      while (shadow.record !== shadow.wanted || (shadow.wanted === undefined && shadow.proxy !== undefined)) {
        const { wanted } = shadow
        await this.#apply(shadow, wanted)
        shadow.record = wanted
      }
    } catch (cause) {
      this.#failed(shadow, toRystraError(cause))
    } finally {
      shadow.working = false
      this.#working -= 1
      if (this.#working === 0) for (const settle of this.#settled.splice(0)) settle()
    }
    const { row, wanted, proxy } = shadow
    if (wanted === undefined && proxy === undefined && this.#shadows.get(row.id) === shadow)
      this.#shadows.delete(row.id)
  }

  async #apply(shadow: Shadow, wanted: ProxyRecord | undefined): Promise<void> {
    const before = shadow.proxy
    if (wanted === undefined) {
      shadow.proxy = undefined
      await before?.withdraw()
      return
    }
    if (before !== undefined && shadow.record !== undefined && sameProxy(shadow.record, wanted)) {
      before.healthy = wanted.healthy
      return
    }
    const proxy = this.#made(shadow, wanted, before)
    await proxy.publish()
    proxy.announced = true
    shadow.proxy = proxy
    shadow.failed = undefined
    proxy.healthy = wanted.healthy
    this.#onPublished(proxy)
    await before?.withdraw()
  }

  #made(shadow: Shadow, { spec, session, ports }: ProxyRecord, before: ServerProxy | undefined): ServerProxy {
    const { kernel, log, totals } = this.#state
    const { member, fence } = shadow.row
    const { proxies } = kernel.current.registries
    if (!proxies.has(spec.kind)) throw new RystraError('proxy.unknown-kind', { side: 'server', detail: spec.kind })
    const owner = new RemoteOwner({
      info: { ...session, member },
      to: { member, session: session.id, spec: specHash(spec) },
      forwarding: this.#forwarding,
      totals,
      log,
      suspend: () => this.#suspend(shadow, proxy)
    })
    const parts = {
      spec,
      sent: spec,
      kind: proxies.get(spec.kind),
      owner,
      before,
      pushed: undefined,
      remote: { fence, ports }
    }
    const proxy: ServerProxy = new ServerProxy(parts, this.#state)
    return proxy
  }

  async #suspend(shadow: Shadow, proxy: ServerProxy): Promise<void> {
    if (shadow.proxy === proxy) {
      shadow.proxy = undefined
      shadow.record = undefined
      this.#retry(shadow)
    }
    await proxy.withdraw()
  }

  #failed(shadow: Shadow, error: RystraError): void {
    const { row, wanted, failed } = shadow
    shadow.failed = error.code
    if (error === notBoundHere) return
    if (failed !== error.code) {
      const { name } = wanted?.spec ?? {}
      this.#state.log.warn(
        { err: error, peer: row.member, proxy: name },
        'a proxy of another server is not published here'
      )
    }
    if (error.retryable) this.#retry(shadow)
  }

  #retry(shadow: Shadow): void {
    if (shadow.wanted === undefined) return
    shadow.cancelRetry = this.#state.clock.after(RETRY_MS, () => this.#work(shadow))
  }
}

const sameProxy = (a: ProxyRecord, b: ProxyRecord): boolean =>
  isDeepStrictEqual([a.spec, a.session, a.ports], [b.spec, b.session, b.ports])
