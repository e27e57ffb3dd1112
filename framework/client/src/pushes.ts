import { resolveProxy } from '@rystra/config'
import { TokenBucket } from '@rystra/limits'
import { type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import { errorField, type PushProxy } from '@rystra/protocol'
import { acceptanceOf } from './acceptance.js'
import type { ClientSession } from './client-session.js'
import { expand } from './expand.js'
import type { Publications } from './publications.js'
import type { ClientState } from './state.js'

/** Pushes that are not answered yet: an administrator adds one at a time, a server that restarts all that it keeps. */
const MAX_PENDING = 1024

/** Refused pushes: each costs a line in the log. */
const REFUSALS_PER_SECOND = 10
const MAX_REFUSALS_AT_ONCE = 1024

/** The session that pushes came on. */
export type PushSession = Pick<ClientSession, 'info' | 'closed' | 'answerPush' | 'destroy'>

/** Decides about proxies that the server adds to this client. */
export class Pushes {
  readonly #state: ClientState
  readonly #publications: Publications
  readonly #refusals: TokenBucket
  #pending = 0

  constructor(state: ClientState, publications: Publications) {
    this.#state = state
    this.#publications = publications
    this.#refusals = new TokenBucket(REFUSALS_PER_SECOND, MAX_REFUSALS_AT_ONCE, state.clock.now())
  }

  /** Publishes it where `client.accept` allows it, and answers. */
  async take(session: PushSession, { request, spec, by }: PushProxy): Promise<void> {
    if (this.#pending >= MAX_PENDING) {
      session.destroy(new RystraError('proxy.limit', { side: 'server', detail: `${MAX_PENDING} pushed at once` }))
      return
    }
    this.#pending += 1
    try {
      const accepted = this.#accepted(spec)
      const { log } = this.#state
      log.info({ proxy: spec.name, kind: spec.kind, ...(by === undefined ? {} : { by }) }, 'added by the server')
      await this.#publications.push(accepted, spec.name, { request, by, session })
      session.answerPush({ request })
    } catch (cause) {
      this.#refuse(session, request, spec, toRystraError(cause, 'internal', { side: 'client' }))
    } finally {
      this.#pending -= 1
    }
  }

  /** What the kind makes of it, with services as they are accepted. Throws `proxy.*`; reads and resolves nothing. */
  #accepted(spec: ProxySpec): readonly ProxySpec[] {
    const { config, kernel } = this.#state
    const { registries } = kernel.current
    const acceptance = acceptanceOf(config)
    // Before the kind has it: it may read the files that a spec names.
    acceptance.checkKind(spec, registries.proxies)
    const specs = expand([resolveProxy(spec, registries)], registries).map(({ spec: one }) => ({
      ...one,
      local: acceptance.service(one['local'])
    }))
    if (this.#publications.pushed + specs.length > acceptance.max) {
      throw new RystraError('proxy.limit', { side: 'client', detail: `client.accept.max is ${acceptance.max}` })
    }
    return specs
  }

  #refuse(session: PushSession, request: number, spec: ProxySpec, error: RystraError): void {
    const { clock, log, refused } = this.#state
    if (session.closed) return
    if (!this.#refusals.take(1, clock.now())) {
      const detail = `more than ${MAX_REFUSALS_AT_ONCE} refused pushes`
      session.destroy(new RystraError('proxy.limit', { side: 'server', detail }))
      return
    }
    const { name } = spec
    log.warn({ err: error, proxy: name }, 'a proxy of the server was refused')
    refused({ what: 'proxy', name, error }, { subject: name, proxy: spec, session: session.info })
    session.answerPush({ request, error: errorField(error) })
  }

  /** After a reload: takes back what is not accepted any more. Streams that are open go on. */
  review(): void {
    const { config, kernel } = this.#state
    const acceptance = acceptanceOf(config)
    this.#publications.reviewPushed(({ spec }) => {
      try {
        acceptance.checkKind(spec, kernel.current.registries.proxies)
        acceptance.service(spec['local'])
        return undefined
      } catch (error) {
        return toRystraError(error)
      }
    })
  }
}
