import type {
  ExchangeObserver,
  HeaderField,
  HttpObserver,
  ObservedRequest,
  Registries,
  RequestContext
} from '@rystra/plugin'
import type { HttpProxy } from './proxy.js'
import { replayThrough } from './replay.js'
import type { UpstreamResponse } from './upstream.js'

/** The extensions that watch now. */
export interface Watch {
  /** `undefined` without any: the one thing that is looked at while nothing watches. */
  observers: readonly HttpObserver[] | undefined
}

/** Those of a generation. */
export const observersIn = ({ httpObservers }: Registries): readonly HttpObserver[] | undefined => {
  const names = httpObservers.list()
  return names.length === 0 ? undefined : names.map((name) => httpObservers.get(name))
}

/** One for all that watch a request; `undefined` if it is not watched. */
export const beginAll = (
  observers: readonly HttpObserver[],
  request: ObservedRequest
): ExchangeObserver | undefined => {
  const begun = observers.flatMap((one) => one.begin(request) ?? [])
  const [first] = begun
  if (begun.length < 2) return first
  return {
    requestData: (chunk) => begun.forEach((one) => void one.requestData(chunk)),
    sent: () => begun.forEach((one) => void one.sent()),
    response: (status, headers) => begun.forEach((one) => void one.response(status, headers)),
    responseData: (chunk) => begun.forEach((one) => void one.responseData(chunk)),
    upgraded: (protocol) => begun.forEach((one) => void one.upgraded(protocol)),
    end: (error) => begun.forEach((one) => void one.end(error))
  }
}

/** A visitor's request at the server. */
export const observeVisitor = (
  observers: readonly HttpObserver[],
  { session, visitor, method, host, secure, target, headers }: RequestContext,
  proxy: HttpProxy
): ExchangeObserver | undefined => {
  const open = async () => (await proxy.host.openStream({ ...visitor, port: 0 })).stream
  return beginAll(observers, {
    side: 'server',
    proxy: proxy.spec,
    session,
    visitor,
    method,
    host,
    secure,
    target,
    headers,
    begun: Date.now(),
    replay: (request, observer) => replayThrough(open, request, observer)
  })
}

/** The response that goes on to the visitor. */
export const reportResponse = (
  observed: ExchangeObserver | undefined,
  status: number,
  fields: readonly HeaderField[],
  { body }: UpstreamResponse
): void => {
  if (observed === undefined) return
  observed.response(status, fields)
  body.on('data', (chunk: Buffer) => observed.responseData(chunk))
}

/** A change of the protocol. */
export const reportUpgrade = (
  observed: ExchangeObserver | undefined,
  fields: readonly HeaderField[],
  protocol: string
): void => {
  observed?.response(101, fields)
  observed?.upgraded(protocol)
}
