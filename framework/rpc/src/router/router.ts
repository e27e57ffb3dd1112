import type { IncomingCall } from '../session/incoming-call.js'
import type { RpcSession } from '../session/session.js'
import type { RpcStream } from '../session/rpc-stream.js'

/** Answers a request: with a value, or a promise of one. */
// biome-ignore lint/suspicious/noExplicitAny: what a handler takes is its own; contracts give it a type
export type Handler = (session: RpcSession, data: any, call: IncomingCall) => unknown
// biome-ignore lint/suspicious/noExplicitAny: the same
export type Listener = (session: RpcSession, data: any, call: IncomingCall) => unknown
export type StreamHandler = (session: RpcSession, stream: RpcStream, call: IncomingCall) => unknown

/** Looks at data. Throws `rpc.invalid` with the path of what does not fit. */
export type Check = (data: unknown) => void

/** One name, and what happens with it. */
export interface Route<Fn> {
  readonly name: string
  readonly fn: Fn
  readonly check?: Check | undefined
  /** May run in early data, which an attacker may be able to send a second time. @default false */
  readonly replaySafe?: boolean | undefined
}

/** What else is said of a handler. */
export type HandlerOptions = Pick<Route<Handler>, 'replaySafe'>

/** What is handled, by name. What it does not have its parent may have. */
export class Router {
  readonly #parent: Router | undefined
  readonly #handlers = new Map<string, Route<Handler>>()
  readonly #listeners = new Map<string, readonly Route<Listener>[]>()
  readonly #streams = new Map<string, Route<StreamHandler>>()

  constructor(parent?: Router) {
    this.#parent = parent
  }

  /** A later one of the same name replaces an earlier one. */
  handler(route: Route<Handler>): void {
    this.#handlers.set(route.name, route)
  }

  /** Several may listen to one name. The answer takes it out again. */
  listener(route: Route<Listener>): () => void {
    const { name } = route
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), route])
    return () => {
      const left = (this.#listeners.get(name) ?? []).filter((each) => each !== route)
      if (left.length > 0) this.#listeners.set(name, left)
      else this.#listeners.delete(name)
    }
  }

  streamHandler(route: Route<StreamHandler>): void {
    this.#streams.set(route.name, route)
  }

  findHandler(name: string): Route<Handler> | undefined {
    return this.#handlers.get(name) ?? this.#parent?.findHandler(name)
  }

  findStream(name: string): Route<StreamHandler> | undefined {
    return this.#streams.get(name) ?? this.#parent?.findStream(name)
  }

  findListeners(name: string): readonly Route<Listener>[] {
    const own = this.#listeners.get(name)
    const above = this.#parent?.findListeners(name)
    if (own === undefined) return above ?? []
    return above === undefined || above.length === 0 ? own : [...above, ...own]
  }

  /** Names of everything, sorted. */
  names(): { readonly handlers: string[]; readonly listeners: string[]; readonly streams: string[] } {
    const above = this.#parent?.names() ?? { handlers: [], listeners: [], streams: [] }
    const merge = (map: ReadonlyMap<string, unknown>, names: string[]) => [...new Set([...map.keys(), ...names])].sort()
    return {
      handlers: merge(this.#handlers, above.handlers),
      listeners: merge(this.#listeners, above.listeners),
      streams: merge(this.#streams, above.streams)
    }
  }
}
