import type { AdminCaller, AdminRoutes, Clock, Logger, Metrics, Runtime } from '@rystra/plugin'
import type { FastifyInstance, FastifyTypeProvider } from 'fastify'
import type { Static, TSchema } from '@rystra/plugin'
import type { EventHub } from './event-hub.js'
import type { Forwarded } from './forwarded.js'
import type { Gate } from './gate.js'
import type { Kinds } from './views.js'

/** Infers the types of requests and responses from their TypeBox schemas. */
export interface TypeBoxProvider extends FastifyTypeProvider {
  readonly validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  readonly serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The authenticated caller. */
    caller: AdminCaller
    /** Whether another server of the cluster has passed the call on. */
    isForwarded: boolean
  }
  interface FastifyContextConfig {
    /** What the caller needs; `public`: no token. */
    scope?: AdminCaller['scope'] | 'public'
  }
}

/** The API, with types by TypeBox. */
export type Api = FastifyInstance<
  import('node:http').Server,
  import('node:http').IncomingMessage,
  import('node:http').ServerResponse,
  import('fastify').FastifyBaseLogger,
  TypeBoxProvider
>

/** What routes work with. It outlives the instances of the API. */
export interface ApiContext {
  readonly runtime: Runtime
  readonly gate: Gate
  /** Calls for what other servers of the cluster have. */
  readonly forwarded: Forwarded
  readonly hub: EventHub
  readonly kinds: Kinds
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'snapshot'>
  readonly log: Logger
  readonly version: string
  /** Whether this end drains. */
  readonly draining: () => boolean
  /** Routes of extensions, as registered now. */
  readonly extensionRoutes: () => readonly AdminRoutes[]
}
