import type { ProxySpec } from '@rystra/model'
import { type Static, type TObject, Type } from '@rystra/model/schema'
import * as field from './fields.js'
import * as limits from './limits.js'

/** Types from here up are optional: who does not know one ignores it. An unknown one below ends the session. */
export const OPTIONAL_TYPES = 0x80

const hello = Type.Object({
  minor: field.minor,
  id: field.name(limits.MAX_ID),
  instance: field.name(limits.MAX_ID),
  agent: field.name(limits.MAX_AGENT),
  muxers: field.offers,
  auth: field.offers,
  nonce: field.bytes(limits.NONCE_SIZE),
  features: field.features,
  resume: Type.Optional(field.bytes(limits.TICKET_SIZE + limits.EARLY_PROOF_SIZE)),
  channel: Type.Optional(field.token),
  early: Type.Optional(field.bytesUpTo(limits.MAX_EARLY_DATA))
})

const helloAck = Type.Object({
  minor: field.minor,
  muxer: field.token,
  method: field.token,
  nonce: field.bytes(limits.NONCE_SIZE),
  features: field.features,
  agent: field.name(limits.MAX_AGENT),
  server: Type.Optional(field.name(limits.MAX_ID))
})

const auth = Type.Object({ proof: field.bytesUpTo(limits.MAX_PROOF) })

const authOk = Type.Object({
  session: field.name(limits.MAX_ID),
  identity: field.name(limits.MAX_ID),
  confirm: Type.Optional(field.bytesUpTo(limits.MAX_CONFIRM)),
  secret: Type.Optional(field.bytes(limits.SECRET_SIZE)),
  heartbeat: field.milliseconds,
  limits: Type.Object({ proxies: field.uint, streams: field.uint }),
  ticket: Type.Optional(field.bytes(limits.TICKET_SIZE + limits.SECRET_SIZE)),
  ticketLifetime: Type.Optional(field.milliseconds)
})

const earlyAnswer = Type.Object({
  data: Type.Optional(field.bytesUpTo(limits.MAX_EARLY_DATA)),
  error: Type.Optional(field.wireError)
})

const dataHello = Type.Object({
  session: field.name(limits.MAX_ID),
  counter: field.uint,
  proof: field.bytes(limits.DATA_PROOF_SIZE),
  opens: Type.Optional(Type.Boolean())
})

const authChallenge = Type.Object({ challenge: field.bytesUpTo(limits.MAX_PROOF) })

const heartbeat = Type.Object({ seq: field.uint, time: field.moment })

const registerProxy = Type.Object({
  request: field.uint,
  spec: field.proxySpec,
  lastPort: Type.Optional(field.uint),
  replace: Type.Optional(Type.Boolean()),
  push: Type.Optional(field.uint)
})

const registerProxyAck = Type.Object({
  request: field.uint,
  address: Type.Optional(field.name(limits.MAX_ADDRESS)),
  error: Type.Optional(field.wireError)
})

const unregisterProxy = Type.Object({
  name: field.name(limits.MAX_NAME),
  error: Type.Optional(field.wireError)
})

const goAway = Type.Object({
  error: Type.Optional(field.wireError),
  drain: field.milliseconds,
  alternatives: Type.Optional(field.endpoints(limits.MAX_ALTERNATIVES))
})

const requestLinks = Type.Object({ count: Type.Integer({ minimum: 1, maximum: limits.MAX_LINKS }) })

const proxyHealth = Type.Object({ name: field.name(limits.MAX_NAME), up: Type.Boolean() })

const pushProxy = Type.Object({
  request: field.uint,
  spec: field.proxySpec,
  by: Type.Optional(field.name(limits.MAX_ID))
})

const pushProxyAck = Type.Object({ request: field.uint, error: Type.Optional(field.wireError) })

const openStream = Type.Object({
  id: field.name(limits.MAX_ID),
  proxy: field.name(limits.MAX_NAME),
  visitor: field.endpoint,
  to: field.endpoint,
  flow: Type.Optional(field.flow),
  details: Type.Optional(field.details),
  trace: Type.Optional(field.traceparent)
})

const visit = Type.Object({
  kind: field.token,
  of: field.name(limits.MAX_NAME),
  visitor: field.endpoint,
  to: field.endpoint,
  flow: Type.Optional(field.flow),
  details: Type.Optional(field.details)
})

const openChannel = Type.Object({
  id: field.name(limits.MAX_ID),
  name: field.token,
  flow: Type.Optional(field.flow),
  details: Type.Optional(field.details)
})

const streamReady = Type.Object({ flow: Type.Optional(Type.Boolean()) })

const notice = Type.Object({ proxy: field.name(limits.MAX_NAME), notice: field.details })

const proxyAddress = Type.Object({ name: field.name(limits.MAX_NAME), address: field.name(limits.MAX_ADDRESS) })

/** What a schema cannot say of details. */
const plainDetails = ({ details }: { details?: unknown }): string | undefined =>
  details === undefined || field.isPlain(details) ? undefined : '/details: expected plain values'

/** What a schema cannot say of specs. */
const plainSpec = ({ spec }: { spec: ProxySpec }): string | undefined =>
  field.isPlain(spec) ? undefined : '/spec: expected plain values'

/** A message: its number on the wire, and its fields in the order in which they are sent. */
export interface Definition<Body extends TObject = TObject> {
  readonly number: number
  readonly body: Body
  /** What a schema cannot say. Answers with what is wrong. */
  readonly refine?: (body: Static<Body>) => string | undefined
}

const define = <Body extends TObject>(
  number: number,
  body: Body,
  refine?: (body: Static<Body>) => string | undefined
): Definition<Body> => ({ number, body, refine })

/** Every message there is, by name. */
export const definitions = Object.freeze({
  Hello: define(0x01, hello, ({ resume, channel, early }) =>
    (resume === undefined) === (channel === undefined) && (channel === undefined) === (early === undefined)
      ? undefined
      : 'expected all of resume, channel and early, or none'
  ),
  HelloAck: define(0x02, helloAck),
  Auth: define(0x03, auth),
  AuthOk: define(0x04, authOk, ({ ticket, ticketLifetime }) =>
    (ticket === undefined) === (ticketLifetime === undefined)
      ? undefined
      : 'expected both ticket and ticketLifetime, or neither'
  ),
  Error: define(0x05, field.wireError),
  DataHello: define(0x06, dataHello),
  AuthChallenge: define(0x07, authChallenge),
  EarlyAnswer: define(0x08, earlyAnswer, ({ data, error }) =>
    (data === undefined) === (error === undefined) ? 'expected either data or error' : undefined
  ),
  Heartbeat: define(0x10, heartbeat),
  HeartbeatAck: define(0x11, heartbeat),
  RegisterProxy: define(0x12, registerProxy, plainSpec),
  RegisterProxyAck: define(0x13, registerProxyAck, ({ address, error }) =>
    (address === undefined) === (error === undefined) ? 'expected either address or error' : undefined
  ),
  UnregisterProxy: define(0x14, unregisterProxy),
  GoAway: define(0x15, goAway),
  RequestLinks: define(0x16, requestLinks),
  ProxyHealth: define(0x17, proxyHealth),
  PushProxy: define(0x18, pushProxy, plainSpec),
  PushProxyAck: define(0x19, pushProxyAck),
  OpenStream: define(0x20, openStream, plainDetails),
  StreamReady: define(0x21, streamReady),
  Visit: define(0x22, visit, plainDetails),
  OpenChannel: define(0x23, openChannel, plainDetails),
  Notice: define(0x90, notice, (message) =>
    field.isPlain(message.notice) ? undefined : '/notice: expected plain values'
  ),
  ProxyAddress: define(0x91, proxyAddress)
})

export type MessageName = keyof typeof definitions

/** The fields of a message, without its type. */
export type Fields<Name extends MessageName> = Readonly<Static<(typeof definitions)[Name]['body']>>

/** A message, told from others by `type`. */
export type MessageOf<Name extends MessageName> = { readonly type: Name } & Fields<Name>

/** Any message. */
export type Message = { [Name in MessageName]: MessageOf<Name> }[MessageName]

export type Hello = MessageOf<'Hello'>
export type HelloAck = MessageOf<'HelloAck'>
export type AuthOk = MessageOf<'AuthOk'>
export type DataHello = MessageOf<'DataHello'>
export type EarlyAnswer = MessageOf<'EarlyAnswer'>
export type RegisterProxy = MessageOf<'RegisterProxy'>
export type GoAway = MessageOf<'GoAway'>
export type OpenStream = MessageOf<'OpenStream'>
export type StreamReady = MessageOf<'StreamReady'>
export type Visit = MessageOf<'Visit'>
export type OpenChannel = MessageOf<'OpenChannel'>
export type Notice = MessageOf<'Notice'>
export type PushProxy = MessageOf<'PushProxy'>
export type PushProxyAck = MessageOf<'PushProxyAck'>

/** Names of all messages, in the order of their numbers. */
export const messageNames = Object.freeze(Object.keys(definitions) as MessageName[])

const names: readonly (MessageName | undefined)[] = Array.from({ length: 256 }, (_, number) =>
  messageNames.find((name) => definitions[name].number === number)
)

/** The name of a message by its number on the wire. */
export const messageName = (number: number): MessageName | undefined => names[number]

/** The number of a message on the wire. */
export const messageNumber = (name: MessageName): number => definitions[name].number
