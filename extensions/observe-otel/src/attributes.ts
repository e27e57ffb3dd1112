import type { Attributes } from '@opentelemetry/api'
import type { RystraError, StreamInfo } from '@rystra/plugin'

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

/** Path of a target, without its query, which may hold secrets. */
export const pathOf = (target: string): string => (target.split('?', 1)[0] ?? '').slice(0, 1024)

export const errorAttributes = (error: RystraError | undefined): Attributes =>
  error === undefined ? {} : { 'error.type': error.code }
