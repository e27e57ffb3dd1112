import { resolveProxy } from '@rystra/config'
import { type ProxySpec, RystraError, type StreamInfo } from '@rystra/model'
import { randomBytes } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { type RequestHandler, serveRequests } from './request-handler.js'
import type { ClientState } from './state.js'
import type { StreamHandler } from './stream-handler.js'

/** In front of the name of a service within this process, where `local` has an address otherwise. */
export const HANDLER = 'handler:'

/**
 * A function of a kind whose services are asked in requests; of any other kind, a {@link StreamHandler}: also of https,
 * whose services have the visitors' own TLS.
 */
type FunctionOf<Kind> = Kind extends 'http' ? RequestHandler : StreamHandler

/**
 * A service within this process. A function is given each request where the kind speaks HTTP, each stream otherwise;
 * `{ fetch }` (an application of Hono, say) and `{ stream }` say which whatever the kind. Also a server of `node:http`
 * or `node:net`, which need not listen.
 */
export type Handler<Kind = string> =
  | FunctionOf<Kind>
  | { readonly fetch: RequestHandler }
  | { readonly stream: StreamHandler }
  | Pick<EventEmitter, 'emit' | 'listenerCount'>

/** An entry of `client.proxies` without `local`, and the service. */
export interface ExposeSpec<Kind extends string = string> {
  readonly kind: Kind
  /** @default a generated unique name */
  readonly name?: string
  readonly handler: Handler<Kind>
  readonly [field: string]: unknown
}

type Failed = (error: unknown, info: StreamInfo) => void

const streamsOf = (handler: unknown, by: 'streams' | 'requests', failed: Failed): StreamHandler | undefined => {
  if (typeof handler === 'function') {
    return by === 'streams' ? (handler as StreamHandler) : serveRequests(handler as RequestHandler, failed)
  }
  if (typeof handler !== 'object' || handler === null) return undefined
  const { fetch, stream, emit } = handler as { fetch?: unknown; stream?: unknown; emit?: unknown }
  if (typeof fetch === 'function') return serveRequests((request, info) => fetch.call(handler, request, info), failed)
  if (typeof stream === 'function') return (visitor, info) => stream.call(handler, visitor, info)
  if (typeof emit === 'function') return (visitor) => void (handler as EventEmitter).emit('connection', visitor)
  return undefined
}

/** The entry that an {@link ExposeSpec} is, checked, and its service. Throws `proxy.*`. */
const exposed = (
  { handler, name, ...fields }: ExposeSpec,
  { kernel, log }: Pick<ClientState, 'kernel' | 'log'>
): { readonly entry: ProxySpec; readonly handler: StreamHandler } => {
  const { registries } = kernel.current
  const kind = registries.proxies.has(fields.kind) ? registries.proxies.get(fields.kind) : undefined
  const { by = 'streams', fields: usual = {} } = kind?.exposed ?? {}
  const streams = streamsOf(handler, by, (err, { proxy }) => log.error({ err, proxy: proxy.name }, 'a handler failed'))
  if (streams === undefined || fields['local'] !== undefined) {
    throw new RystraError('proxy.invalid', {
      side: 'client',
      detail:
        streams === undefined
          ? 'handler: expected a function, { fetch }, { stream } or a server of node:http'
          : 'local: expected nothing beside a handler'
    })
  }
  const called = name ?? `${fields.kind}-${randomBytes(4).toString('hex')}`
  const entry = resolveProxy({ ...usual, ...fields, name: called, local: `${HANDLER}${called}` }, registries)
  return { entry, handler: streams }
}

/** The entry that is published, and its service where that is within this process. Throws `proxy.*`. */
export const entryOf = (
  spec: ProxySpec | ExposeSpec,
  state: Pick<ClientState, 'kernel' | 'log'>
): { readonly entry: ProxySpec; readonly handler: StreamHandler | undefined } =>
  'handler' in spec
    ? exposed(spec as ExposeSpec, state)
    : { entry: resolveProxy(spec, state.kernel.current.registries), handler: undefined }
