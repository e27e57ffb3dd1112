import type { ResolvedClient, ResolvedConfig, RystraConfig } from '@rystra/config'
import { type ControlledEnd, probeExtensions, type Rehearsal } from '@rystra/control'
import type { GenerationRef } from '@rystra/kernel'
import { type ProxySpec, RystraError } from '@rystra/model'
import type { SharedPorts } from '@rystra/net'
import type { AddProxyOptions, PlanItem, ProxyHandle, ReloadContext } from '@rystra/plugin'
import { isDeepStrictEqual } from 'node:util'
import { type Expanded, expand } from './expand.js'
import type { Forwards } from './forwards.js'
import { baseOf, type ClientOptions, type ClientSide, checkedWith, usesOf } from './options.js'
import type { Publications } from './publications.js'
import type { Pushes } from './pushes.js'
import type { Sessions } from './sessions.js'
import type { ClientState } from './state.js'

/** What of a client its end works with. */
export interface ClientEndParts {
  readonly state: ClientState
  readonly publications: Publications
  readonly pushes: Pushes
  readonly forwards: Forwards
  readonly options: ClientOptions
  readonly ports: SharedPorts
  readonly streams: () => number
  readonly sessions: Pick<Sessions, 'redialed' | 'reconfigure'>
  drain(timeout: number): Promise<void>
  publish(entry: ProxySpec): Promise<unknown>
  stop(): Promise<void>
}

/** Changes and drains a running client. */
export class ClientEnd implements ControlledEnd {
  readonly side = 'client'
  readonly #parts: ClientEndParts
  #config: ClientSide

  constructor(config: ClientSide, parts: ClientEndParts) {
    this.#config = config
    this.#parts = parts
  }

  get state(): ClientState {
    return this.#parts.state
  }

  get config(): ResolvedConfig {
    return this.#config
  }

  get drainTime(): number {
    return this.#config.client.drain
  }

  get streams(): number {
    return this.#parts.streams()
  }

  /** What the configuration comes to in a generation. Throws what is wrong with it. */
  #checked(base: ResolvedConfig, generation: GenerationRef): { next: ClientSide; expanded: readonly Expanded[] } {
    const { publications, forwards } = this.#parts
    const next = checkedWith(base, generation)
    const expanded = expand(next.client.proxies as readonly ProxySpec[], generation.registries)
    publications.check(expanded)
    forwards.check(next.client.forwards)
    return { next, expanded }
  }

  async rehearse(config: RystraConfig): Promise<Rehearsal> {
    const { options, ports } = this.#parts
    const base = baseOf(config, options)
    let next = this.#config
    let moved: readonly PlanItem[] = []
    await this.state.kernel.rehearse(await usesOf(config, options), async (generation) => {
      const checked = this.#checked(base, generation)
      next = checked.next
      await probeExtensions(generation.listens, { client: next.client }, { side: 'client', ports })
      moved = this.#movedBy(checked.expanded, generation)
    })
    return { config: next, touched: [...moved, ...this.#touchedBy(next.client)] }
  }

  /** Proxies whose change ends what is open, see `ProxyKind.endedBy`. */
  #movedBy(expanded: readonly Expanded[], { registries }: GenerationRef): readonly PlanItem[] {
    return expanded.flatMap(({ entry, spec }) => {
      const present = this.#parts.publications.find(spec.name)
      const fields = registries.proxies.has(spec.kind) ? registries.proxies.get(spec.kind).endedBy : undefined
      const changed = fields?.filter((field) => !isDeepStrictEqual(present?.spec[field], spec[field])) ?? []
      const cuts = [...(present?.streams.open.keys() ?? [])]
      if (changed.length === 0 || cuts.length === 0) return []
      const detail = `${changed.join(', ')}: visitors of the address before end`
      return [{ action: 'change', subject: 'proxy', name: entry, detail, streams: cuts.length, cuts }]
    })
  }

  /** Streams of the session that is left go on until they are done, or the drain time is over. */
  #touchedBy(next: ResolvedClient): readonly PlanItem[] {
    const redialed = this.#parts.sessions.redialed(this.#config.client, next)
    if (redialed.length === 0) return []
    const detail =
      'the session is dialed anew; the present one serves until then, and its open streams have the drain time to finish'
    const streams = redialed.reduce((sum, { openStreams }) => sum + openStreams, 0)
    return [
      { action: 'change', subject: 'session', name: 'client.connect', detail, sessions: redialed.length, streams }
    ]
  }

  async apply(config: RystraConfig): Promise<ReloadContext> {
    const { state, publications, pushes, forwards, options, sessions } = this.#parts
    const base = baseOf(config, options)
    const before = this.#config
    let expanded: readonly Expanded[] = []
    const report = await this.state.kernel.reload(await usesOf(config, options), (generation) => {
      const checked = this.#checked(base, generation)
      expanded = checked.expanded
      this.#config = checked.next
      state.config = checked.next.client
      return Promise.resolve()
    })
    publications.replace(expanded)
    pushes.review()
    await forwards.replace(this.#config.client.forwards as readonly ProxySpec[])
    sessions.reconfigure(before.client)
    return report
  }

  drain(timeout: number): Promise<void> {
    return this.#parts.drain(timeout)
  }

  stop(): Promise<void> {
    return this.#parts.stop()
  }

  async addProxy(
    spec: ProxySpec,
    session: string | undefined,
    { persist = false }: AddProxyOptions
  ): Promise<ProxyHandle> {
    if (session !== undefined) {
      throw new RystraError('control.unavailable', { side: 'client', detail: 'a client has proxies of its own only' })
    }
    if (persist) {
      const detail = 'proxies of a client are kept in its configuration'
      throw new RystraError('control.unavailable', { side: 'client', detail })
    }
    await this.#parts.publish(spec)
    // The first, if its kind makes several of it.
    const [handle] = this.#parts.publications.of(spec.name)
    if (handle === undefined) throw new RystraError('proxy.refused', { side: 'client', detail: spec.name })
    return handle
  }

  handOver(): Promise<never> {
    const detail = 'a client has no listening sockets: restart it'
    return Promise.reject(new RystraError('control.unavailable', { side: 'client', detail }))
  }

  async removeProxy(id: string): Promise<void> {
    const { publications } = this.#parts
    if (publications.of(id).length === 0) {
      throw new RystraError('control.not-found', { side: 'client', detail: `proxy ${id}` })
    }
    publications.remove(id)
  }
}
