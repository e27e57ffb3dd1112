import {
  type HeaderField,
  type PublishHost,
  type RequestContext,
  type ResponseContext,
  RystraError
} from '@rystra/plugin'
import type { ConnectionInfo } from './connection-info.js'
import { isField, isReserved, passedOn } from './fields.js'
import { forwardedFields, protoOf, isForwardedField } from './forwarded.js'
import type { World } from './world.js'
import { type Head, isHost } from './head.js'
import { problemOf } from './problem.js'
import type { HttpProxy } from './proxy.js'
import type { UpstreamRequest, UpstreamResponse } from './upstream.js'
import type { VisitorRequest } from './visitor-request.js'

let requests = 0

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value

/** A request as it is to go to the service, for hooks to see and change. */
export const requestContext = (
  { trusted }: World,
  { rawHeaders, headers }: VisitorRequest,
  { visitor, secure }: ConnectionInfo,
  proxy: HttpProxy,
  { method, host, authority, target }: Head
): RequestContext => {
  const { spec } = proxy
  const signedIn = proxy.credentials !== undefined
  const before = trusted.has(visitor.host)
    ? {
        for: one(headers['x-forwarded-for']),
        forwarded: one(headers.forwarded),
        proto: protoOf(one(headers['x-forwarded-proto'])),
        host: one(headers['x-forwarded-host'])
      }
    : undefined
  const passed = passedOn(
    rawHeaders,
    headers.connection as string | undefined,
    (name) => isForwardedField(name) || (signedIn && name === 'authorization')
  )
  if (spec.forwarded !== false) passed.push(...forwardedFields(visitor.host, authority, secure, before))
  const client = before === undefined ? visitor.host : trusted.clientOf(visitor.host, before.for)
  requests += 1
  return {
    id: requests.toString(36),
    proxy: spec,
    visitor: client === visitor.host ? visitor : { ...visitor, host: client, port: 0 },
    session: proxy.host.session,
    method,
    secure: before?.proto === undefined ? secure : before.proto.endsWith('s'),
    host,
    target: proxy.targetOf(target),
    headers: [['Host', spec.hostHeader ?? authority], ...proxy.changeRequest(passed)]
  }
}

/** What is sent of a request beside its head. */
export type UpstreamOptions = Pick<UpstreamRequest, 'secure' | 'expectsContinue' | 'upgrade'>

/** The request for the service, after hooks have changed it. */
export const upstreamRequest = (
  { spec }: HttpProxy,
  { method, hasBody, length, acceptsTrailers, authority }: Head,
  { target, headers }: RequestContext,
  { secure, expectsContinue, upgrade }: UpstreamOptions
): UpstreamRequest => {
  const host = headers.findIndex(isHostField)
  return {
    method,
    target,
    headers: host === -1 ? headers : headers.toSpliced(host, 1),
    authority: headers[host]?.[1] ?? spec.hostHeader ?? authority,
    hasBody,
    length,
    acceptsTrailers,
    secure,
    expectsContinue,
    upgrade
  }
}

const isHostField = ([name]: HeaderField): boolean => name.length === 4 && name.toLowerCase() === 'host'

const isHookable = (field: HeaderField): boolean =>
  isField(field) && (isHostField(field) ? isHost(field[1]) : !isReserved(field[0].toLowerCase()))

/** Throws unless what hooks made of a head can be one. `before`: its names and values in turns; what is the same is not looked at again. */
export const checkHooked = ({ headers, target }: RequestContext, before: readonly string[]): void => {
  let hosts = 0
  const unfit = headers.find((field, at) => {
    if (isHostField(field)) hosts += 1
    const same = field[0] === before[2 * at] && field[1] === before[2 * at + 1]
    return hosts > 1 || !(same || isHookable(field))
  })
  if (unfit === undefined && (target === '*' || /^\/[\x21\x22\x24-\x7e]*$/.test(target))) return
  const detail = unfit === undefined ? 'invalid request target' : `invalid header field: ${unfit[0]}`
  throw problemOf(new RystraError('hook.failed', { side: 'server', detail }))
}

/** The head of a response for the visitor, changed by the proxy and by hooks: at once where no hook is called. */
export const responseHead = (
  proxy: HttpProxy,
  request: RequestContext,
  status: number,
  { rawHeaders, connection }: UpstreamResponse,
  hooks: PublishHost['hooks'] | undefined
): ResponseContext | Promise<ResponseContext> => {
  const context = { request, status, headers: proxy.changeResponse(passedOn(rawHeaders, connection, () => false)) }
  if (hooks?.tapsResponses !== true) return context
  return hooks.response(context)?.then(() => checked(context, status)) ?? checked(context, status)
}

/** Throws unless what hooks made of it can be one. */
const checked = (context: ResponseContext, before: number): ResponseContext => {
  const { headers, status } = context
  const fit = headers.every((field) => isField(field) && !isReserved(field[0].toLowerCase()))
  const final = status === before || (before !== 101 && Number.isInteger(status) && status > 199 && status < 600)
  if (!fit || !final) throw new RystraError('hook.failed', { side: 'server', detail: 'invalid response head' })
  return context
}
