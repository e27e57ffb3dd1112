import type { Static, TSchema } from '@rystra/model/schema'
import { rpcError } from '../error.js'
import { isName } from '../frame/head.js'

/** A request: what goes in, what comes out, and the errors it may end with. */
export interface RequestContract<In extends TSchema = TSchema, Out extends TSchema = TSchema> extends RequestTerms {
  readonly kind: 'request'
  readonly input: In
  readonly output: Out
}

/** What else is agreed on of a request. */
export interface RequestTerms {
  /** Codes of the application, with the type of their data. */
  readonly errors?: Readonly<Record<string, TSchema>>
  /** May be asked again, within its deadline, when the session is lost meanwhile. @default false */
  readonly idempotent?: boolean
  /** May be sent in early data, which an attacker can send a second time. Not used yet: no call is sent there. @default false */
  readonly replaySafe?: boolean
  /** Milliseconds. @default 30000 */
  readonly deadline?: number
}

/** An event: nothing is answered. */
export interface EventContract<Data extends TSchema = TSchema> {
  readonly kind: 'event'
  readonly data: Data
}

/** A stream: what its opener sends, and what it gets. */
export interface StreamContract<Up extends TSchema = TSchema, Down extends TSchema = TSchema> extends StreamTerms {
  readonly kind: 'stream'
  readonly up: Up
  readonly down: Down
}

/** See `StreamOptions`. */
export interface StreamTerms {
  readonly unreliable?: boolean
  readonly fragment?: boolean
}

/** Called by the server, handled by the client. */
export interface FromServer<Contract extends Member = Member> {
  readonly kind: 'fromServer'
  readonly contract: Contract
}

export type Member = RequestContract | EventContract | StreamContract
export type Members = Readonly<Record<string, Member | FromServer>>

/** A contract between two programs. On the wire a member is called `service.member`. */
export interface Service<Of extends Members = Members> {
  readonly name: string
  readonly members: Of
}

export const request = <In extends TSchema, Out extends TSchema>(
  input: In,
  output: Out,
  terms: RequestTerms = {}
): RequestContract<In, Out> => ({ kind: 'request', input, output, ...terms })

export const event = <Data extends TSchema>(data: Data): EventContract<Data> => ({ kind: 'event', data })

export const stream = <Up extends TSchema, Down extends TSchema>(
  up: Up,
  down: Down,
  terms: StreamTerms = {}
): StreamContract<Up, Down> => ({ kind: 'stream', up, down, ...terms })

/** Turns the direction of a member: the server calls it, the client handles it. */
export const fromServer = <Contract extends Member>(contract: Contract): FromServer<Contract> => ({
  kind: 'fromServer',
  contract
})

/**
 * A contract that both sides take their types from, and their checks of what they receive. Throws `rpc.invalid` for a name
 * that cannot be one.
 *
 * @example
 * const Chat = defineService('chat', {
 *   login: request(Type.Object({ user: Type.String() }), Type.Object({ rooms: Type.Array(Type.String()) })),
 *   said: fromServer(event(Type.Object({ user: Type.String(), text: Type.String() })))
 * })
 */
export const defineService = <Of extends Members>(name: string, members: Of): Service<Of> => {
  for (const each of [name, ...Object.keys(members)]) {
    if (!isName(each) || each.length > 100)
      throw rpcError('rpc.invalid', `the name ${JSON.stringify(each)} of a service`)
  }
  return Object.freeze({ name, members: Object.freeze({ ...members }) })
}

type Turned<Each> = Each extends FromServer<infer Contract> ? Contract : Each extends Member ? FromServer<Each> : never

/** The same contract from the other side: what the server calls there is called here. */
export type Reversed<Of extends Members> = { readonly [Name in keyof Of]: Turned<Of[Name]> }

/** The contract as the server sees it: `session.use(reverse(Chat)).said({ … })`. */
export const reverse = <Of extends Members>({ name, members }: Service<Of>): Service<Reversed<Of>> => {
  const turned = Object.entries(members).map(([key, member]) => [
    key,
    member.kind === 'fromServer' ? member.contract : fromServer(member)
  ])
  return Object.freeze({ name, members: Object.freeze(Object.fromEntries(turned)) as Reversed<Of> })
}

/** The type of what a schema describes. */
export type TypeOf<Schema> = Schema extends TSchema ? Static<Schema> : never
