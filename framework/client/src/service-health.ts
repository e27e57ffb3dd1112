import type { ProxySpec } from '@rystra/model'
import { HealthCheck, type HealthOptions } from './health-check.js'
import type { RegistrySession } from './registry-session.js'
import type { ClientState } from './state.js'
import type { StreamHandler } from './stream-handler.js'

/** Checks the service of a proxy, if its entry says so, and tells the server. */
export class ServiceHealth {
  /** As the last check said; true without checks. */
  up = true
  readonly #state: ClientState
  #check: HealthCheck | undefined

  constructor(state: ClientState) {
    this.#state = state
  }

  watch(spec: ProxySpec, handler: StreamHandler | undefined, session: RegistrySession): void {
    const { name, healthCheck } = spec
    this.stop()
    this.up = healthCheck === undefined
    if (healthCheck === undefined) return
    const { clock, log } = this.#state
    const checked = { spec, handler, session: session.info }
    this.#check = new HealthCheck(healthCheck as HealthOptions, checked, clock, (up, reason) => {
      this.up = up
      const why = reason === undefined ? {} : { reason }
      log.info({ proxy: name, ...why }, up ? 'the service is up' : 'the service is down')
      session.tellHealth(name, up)
    })
    this.#check.start()
  }

  stop(): void {
    this.#check?.stop()
    this.#check = undefined
  }
}
