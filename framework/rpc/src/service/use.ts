import { RpcError } from '../error.js'
import type { RequestOptions } from '../session/outgoing-calls.js'
import type { StreamOptions } from '../session/stream-options.js'
import type { RpcSession, ServiceView } from '../session/rpc-session.js'
import { checkOf } from './check.js'
import type { Member, Members, Service } from './define.js'
import { handleMember } from './implement.js'

const views = new WeakMap<RpcSession, WeakMap<Service, unknown>>()

/** The members of a service as functions. The same object each time. */
export const use = <Of extends Members>(session: RpcSession, service: Service<Of>): ServiceView<Of> => {
  const known = views.get(session) ?? new WeakMap<Service, unknown>()
  views.set(session, known)
  const found = known.get(service)
  if (found !== undefined) return found as ServiceView<Of>
  const view: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(service.members)) {
    const name = `${service.name}.${key}`
    view[key] =
      member.kind === 'fromServer'
        ? (fn: (...args: never[]) => unknown) => handleMember(session.router, name, member.contract, fn)
        : callMember(session, name, member)
  }
  known.set(service, Object.freeze(view))
  return view as ServiceView<Of>
}

const callMember = (session: RpcSession, name: string, member: Member): unknown => {
  switch (member.kind) {
    case 'request': {
      const { output, deadline, idempotent, replaySafe, errors = {} } = member
      const check = checkOf(output)
      const terms = { ...(deadline === undefined ? {} : { deadline }), idempotent, replaySafe }
      return async (data: unknown, options?: RequestOptions) => {
        try {
          const answer = await session.request(name, data, { ...terms, ...options })
          check(answer)
          return answer
        } catch (error) {
          const schema = error instanceof RpcError ? errors[error.code] : undefined
          if (schema !== undefined) checkOf(schema)((error as RpcError).data)
          throw error
        }
      }
    }
    case 'event':
      return (data: unknown) => session.emit(name, data)
    case 'stream': {
      const { down, unreliable, fragment } = member
      const check = checkOf(down)
      return (options?: StreamOptions) =>
        session.createStream(name, { unreliable, fragment, ...options }).checkWith(check)
    }
  }
}
