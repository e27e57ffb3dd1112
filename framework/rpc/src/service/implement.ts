import type { Router } from '../router/router.js'
import type { IncomingCall } from '../session/incoming-call.js'
import type { RpcSession } from '../session/session.js'
import { checkOf } from './check.js'
import type {
  EventContract,
  FromServer,
  Member,
  Members,
  RequestContract,
  Service,
  StreamContract,
  TypeOf
} from './define.js'
import type { TypedStream } from './typed-stream.js'

type Answer<Value> = Value | Promise<Value>

/** What handles one member. */
export type HandlerOf<Each> =
  Each extends RequestContract<infer In, infer Out>
    ? (session: RpcSession, data: TypeOf<In>, call: IncomingCall) => Answer<TypeOf<Out>>
    : Each extends EventContract<infer Data>
      ? (session: RpcSession, data: TypeOf<Data>, call: IncomingCall) => unknown
      : Each extends StreamContract<infer Up, infer Down>
        ? (session: RpcSession, stream: TypedStream<TypeOf<Down>, TypeOf<Up>>, call: IncomingCall) => unknown
        : never

/** Members of this side, each with what handles it. */
export type Implementation<Of extends Members> = {
  readonly [Name in keyof Of as Of[Name] extends FromServer ? never : Name]: HandlerOf<Of[Name]>
}

/** Handles one member. The answer takes a listener out again. */
export const handleMember = (
  router: Router,
  name: string,
  member: Member,
  fn: (...args: never[]) => unknown
): (() => void) => {
  switch (member.kind) {
    case 'request':
      router.handler({ name, fn: fn as never, check: checkOf(member.input), replaySafe: member.replaySafe })
      return () => {}
    case 'event':
      return router.listener({ name, fn: fn as never, check: checkOf(member.data) })
    case 'stream': {
      const check = checkOf(member.up)
      router.streamHandler({
        name,
        fn: (session, stream, call) => (fn as (...args: unknown[]) => unknown)(session, stream.checkWith(check), call)
      })
      return () => {}
    }
  }
}

/** Handles all members of a service that the other side calls. */
export const implement = <Of extends Members>(
  router: Router,
  { name, members }: Service<Of>,
  handlers: Implementation<Of>
): void => {
  for (const [key, member] of Object.entries(members)) {
    const fn = (handlers as Readonly<Record<string, (...args: never[]) => unknown>>)[key]
    if (member.kind !== 'fromServer' && fn !== undefined)
      handleMember(router, `${name}.${key}`, member, fn.bind(handlers))
  }
}
