import type { HandlerOf, Routes } from '../session/rpc-session.js'
import { checkOf } from './check.js'
import type { FromServer, Member, Members, Service } from './define.js'

/** Members of this side, each with what handles it. */
export type Implementation<Of extends Members> = {
  readonly [Name in keyof Of as Of[Name] extends FromServer ? never : Name]: HandlerOf<Of[Name]>
}

/** Handles one member. The answer takes a listener out again. */
export const handleMember = (
  router: Routes,
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
  router: Routes,
  { name, members }: Service<Of>,
  handlers: Implementation<Of>
): void => {
  for (const [key, member] of Object.entries(members)) {
    const fn = (handlers as Readonly<Record<string, (...args: never[]) => unknown>>)[key]
    if (member.kind !== 'fromServer' && fn !== undefined)
      handleMember(router, `${name}.${key}`, member, fn.bind(handlers))
  }
}
