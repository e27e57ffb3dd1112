import type { Attributes } from '@opentelemetry/api'
import type { ObservedRequest, RequestContext, RystraError, StreamInfo } from '@rystra/plugin'

const methods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE', 'QUERY'])

/** `http.request.method`: an unknown one is `_OTHER`, so that names of spans and labels are bounded. */
export const methodOf = (method: string): string => (methods.has(method) ? method : '_OTHER')

/** What is known of the way of a stream or a request. Names by the conventions of OpenTelemetry where there are some. */
export const wayAttributes = ({
  proxy,
  session,
  visitor
}: Pick<StreamInfo, 'proxy' | 'session' | 'visitor'>): Attributes => ({
  'client.address': visitor.host,
  'rystra.proxy': proxy.name,
  'rystra.kind': proxy.kind,
  'rystra.client': session.client.id,
  'rystra.identity': session.identity.id,
  'rystra.transport': session.transport
})

/**
 * What samplers decide by, and no more: most requests are not sampled, and an SDK copies each attribute. One literal: an object that is
 * put together from others by spread takes ten times as long, for each request.
 */
export const requestAttributes = ({
  proxy,
  visitor,
  method,
  target,
  secure,
  host
}: RequestContext | ObservedRequest): Attributes => ({
  'client.address': visitor.host,
  'http.request.method': methodOf(method),
  'url.path': pathOf(target),
  'url.scheme': secure ? 'https' : 'http',
  'server.address': host,
  'rystra.proxy': proxy.name
})

/** Path of a target, without its query, which may hold secrets. */
export const pathOf = (target: string): string => {
  const query = target.indexOf('?')
  return target.slice(0, query === -1 ? 1024 : Math.min(query, 1024))
}

export const errorAttributes = (error: RystraError | undefined): Attributes =>
  error === undefined ? {} : { 'error.type': error.code }
