import type { ProxySpec } from '@rystra/model'
import { HealthCheck, type HealthOptions } from './health-check.js'
import type { RegistrySession } from './registry-session.js'
import type { ClientState } from './state.js'
import type { StreamHandler } from './stream-handler.js'

/** Checks the service of a proxy, if its entry says so, and tells every server that has it. */
export class ServiceHealth {
  /** As the last check said; true without checks. */
  up = true
  readonly #state: ClientState
  readonly #sessions = new Set<RegistrySession>()
  #check: HealthCheck | undefined
  #spec: ProxySpec | undefined
  /** Whether a check has come to an end. */
  #known = false

  constructor(state: ClientState) {
    this.#state = state
  }

  /** From now on this session has the proxy too. Another spec is checked anew. */
  watch(spec: ProxySpec, handler: StreamHandler | undefined, session: RegistrySession): void {
    const others = this.#sessions.size - (this.#sessions.has(session) ? 1 : 0)
    const isAnother = others > 0 && this.#spec === spec
    this.#sessions.add(session)
    if (isAnother) {
      if (this.#known) session.tellHealth(spec.name, this.up)
      return
    }
    this.#begin(spec, handler, session)
  }

  #begin(spec: ProxySpec, handler: StreamHandler | undefined, session: RegistrySession): void {
    const { name, healthCheck } = spec
    this.#stop()
    this.#spec = spec
    this.up = healthCheck === undefined
    if (healthCheck === undefined) return
    const { clock, log } = this.#state
    const checked = { spec, handler, session: session.info }
    this.#check = new HealthCheck(healthCheck as HealthOptions, checked, clock, (up, reason) => {
      this.up = up
      this.#known = true
      const why = reason === undefined ? {} : { reason }
      log.info({ proxy: name, ...why }, up ? 'the service is up' : 'the service is down')
      for (const one of this.#sessions) one.tellHealth(name, up)
    })
    this.#check.start()
  }

  /** The session has it no longer; without any nothing is checked. */
  unwatch(session: RegistrySession): void {
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) this.#stop()
  }

  #stop(): void {
    this.#check?.stop()
    this.#check = undefined
    this.#known = false
  }
}
