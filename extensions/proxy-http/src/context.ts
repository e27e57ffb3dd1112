import {
  type HeaderField,
  type PublishHost,
  type RequestContext,
  type ResponseContext,
  RystraError
} from '@rystra/plugin'
import type { Answer, Question } from './ask.js'
import type { Besides, From } from './from.js'
import { isField, isOurs, passedOn } from './fields.js'
import { forwardedFields, protoOf, tellsWho } from './forwarded.js'
import type { World } from './front.js'
import { type Head, isHost, type VisitorRequest } from './head.js'
import { problemOf } from './problem.js'
import type { HttpProxy } from './proxy.js'

let requests = 0

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value

/** A request as it is to go to the service, for hooks to see and change. */
export const contextOf = (
  { trusted }: World,
  { rawHeaders, headers }: VisitorRequest,
  { visitor, secure }: From,
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
    (name) => tellsWho(name) || (signedIn && name === 'authorization')
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

/** The question for the service that a request is, after hooks have changed it. */
export const questionOf = (
  { spec }: HttpProxy,
  { method, hasBody, length, wantsTrailers, authority }: Head,
  { target, headers }: RequestContext,
  { secure }: From,
  { expect = false, upgrade }: Besides
): Question => {
  const host = headers.findIndex(isHostField)
  return {
    method,
    target,
    headers: host === -1 ? headers : headers.toSpliced(host, 1),
    authority: headers[host]?.[1] ?? spec.hostHeader ?? authority,
    secure,
    hasBody,
    length,
    expect,
    wantsTrailers,
    upgrade: upgrade?.protocol
  }
}

const isHostField = ([name]: HeaderField): boolean => name.length === 4 && name.toLowerCase() === 'host'

/** Throws unless what hooks made of a head can be one. */
export const checkHooked = ({ headers, target }: RequestContext): void => {
  const hosts = headers.filter(isHostField)
  const fits = (field: HeaderField): boolean =>
    isField(field) && (isHostField(field) ? isHost(field[1]) : !isOurs(field[0].toLowerCase()))
  const unfit = hosts[1] ?? headers.find((field) => !fits(field))
  if (unfit === undefined && (target === '*' || /^\/[\x21\x22\x24-\x7e]*$/.test(target))) return
  const detail = unfit === undefined ? 'a target that is no path' : `a field that cannot be there: ${unfit[0]}`
  throw problemOf(new RystraError('hook.failed', { side: 'server', detail }))
}

/** The head of an answer as it goes to the visitor, changed by the proxy and by hooks: at once where no hook looks at it. */
export const answerHead = (
  proxy: HttpProxy,
  request: RequestContext,
  status: number,
  { raw, connection }: Answer,
  hooks: PublishHost['hooks'] | undefined
): ResponseContext | Promise<ResponseContext> => {
  const context = { request, status, headers: proxy.changeResponse(passedOn(raw, connection, () => false)) }
  return hooks?.response(context)?.then(() => checked(context, status)) ?? context
}

/** Throws unless what hooks made of it can be one. */
const checked = (context: ResponseContext, before: number): ResponseContext => {
  const { headers, status } = context
  const fit = headers.every((field) => isField(field) && !isOurs(field[0].toLowerCase()))
  const final = status === before || (before !== 101 && Number.isInteger(status) && status > 199 && status < 600)
  if (!fit || !final) throw new RystraError('hook.failed', { side: 'server', detail: 'a head that cannot be' })
  return context
}
