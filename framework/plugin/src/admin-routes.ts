import type { Static, TSchema } from '@rystra/model/schema'

/** What a caller of the admin API may do, each with all before it: read; change what runs; change the configuration. */
export const adminScopes = Object.freeze(['read', 'operate', 'admin'] as const)

/** One of {@link adminScopes}. */
export type AdminScope = (typeof adminScopes)[number]

/** An authenticated caller of the admin API. */
export interface AdminCaller {
  /** The name of its token, for logs; `local` on the unix socket. */
  readonly name: string
  readonly scope: AdminScope
}

/** One request to a route. Everything is validated by the schemas of the route. */
export interface AdminRequest<Params = unknown, Query = unknown, Body = unknown> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly caller: AdminCaller
  /** Aborted when the caller is gone. */
  readonly signal: AbortSignal
}

/** What a route with a `contentType` answers. A source that throws ends the response before its end. */
export type AdminContent = string | Uint8Array | AsyncIterable<string | Uint8Array>

type StaticOf<Schema> = Schema extends TSchema ? Static<Schema> : unknown

/** One route of the admin API. Make it with {@link adminRoute}, which infers the types of the request. */
export interface AdminRoute<Params = unknown, Query = unknown, Body = unknown> {
  /** What GET routes do changes nothing. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Begins with `/`, below that of the extension: `/requests/:id`. */
  readonly path: string
  /** What the caller needs. @default `read` for GET, otherwise `operate` */
  readonly scope?: AdminScope
  /** One sentence, for the OpenAPI document. */
  readonly summary: string
  /** Of the parameters in the path. @default any text */
  readonly params?: Params
  /** Of the query; texts are converted to numbers and booleans where the schema has those. @default none */
  readonly query?: Query
  /** Of the JSON body. @default none */
  readonly body?: Body
  /** Of the JSON response: fields that it does not have are left out. @default any */
  readonly response?: TSchema
  /** Media type of a response that is no JSON. @default JSON */
  readonly contentType?: string
  /**
   * Answers with what is sent as JSON, `undefined` for nothing (204), or an {@link AdminContent} with a `contentType`.
   * A `RystraError` is answered as a problem document (RFC 9457) with its code; anything else thrown is logged, and
   * answered as `internal`.
   */
  handle(request: AdminRequest<StaticOf<Params>, StaticOf<Query>, StaticOf<Body>>): unknown
}

/** Routes that one extension adds to the admin API. `registries.adminRoutes` */
export interface AdminRoutes {
  /** The routes are below `/v1/extensions/<name>`. */
  readonly name: string
  readonly routes: readonly AdminRoute[]
}

/**
 * Makes a route. Everything in the request is inferred from the schemas.
 *
 * @example
 * registries.adminRoutes.add({
 *   name: 'office-hours',
 *   routes: [
 *     adminRoute({
 *       method: 'PUT',
 *       path: '/closed',
 *       summary: 'Closes the office.',
 *       body: Type.Object({ until: Type.Integer() }),
 *       handle: ({ body, caller }) => close(body.until, caller.name)
 *     })
 *   ]
 * })
 */
export const adminRoute = <Params = unknown, Query = unknown, Body = unknown>(
  route: AdminRoute<Params, Query, Body>
): AdminRoute => route as unknown as AdminRoute
