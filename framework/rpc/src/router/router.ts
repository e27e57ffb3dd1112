import type { Handler, Listener, StreamHandler } from '../session/rpc-session.js'
import type { Route } from './route.js'

/** What is handled, by name. What it does not have its parent may have. */
export class Router {
  readonly #parent: Router | undefined
  /** Made with the first one: most sessions handle what their program does, and nothing else. */
  #handlers: Map<string, Route<Handler>> | undefined
  #listeners: Map<string, readonly Route<Listener>[]> | undefined
  #streams: Map<string, Route<StreamHandler>> | undefined

  constructor(parent?: Router) {
    this.#parent = parent
  }

  /** A later one of the same name replaces an earlier one. */
  handler(route: Route<Handler>): void {
    this.#handlers ??= new Map()
    this.#handlers.set(route.name, route)
  }

  /** Several may listen to one name. The answer takes it out again. */
  listener(route: Route<Listener>): () => void {
    const { name } = route
    this.#listeners ??= new Map()
    const listeners = this.#listeners
    listeners.set(name, [...(listeners.get(name) ?? []), route])
    return () => {
      const left = (listeners.get(name) ?? []).filter((each) => each !== route)
      if (left.length > 0) listeners.set(name, left)
      else listeners.delete(name)
    }
  }

  streamHandler(route: Route<StreamHandler>): void {
    this.#streams ??= new Map()
    this.#streams.set(route.name, route)
  }

  findHandler(name: string): Route<Handler> | undefined {
    return this.#handlers?.get(name) ?? this.#parent?.findHandler(name)
  }

  findStream(name: string): Route<StreamHandler> | undefined {
    return this.#streams?.get(name) ?? this.#parent?.findStream(name)
  }

  findListeners(name: string): readonly Route<Listener>[] {
    const own = this.#listeners?.get(name)
    const above = this.#parent?.findListeners(name)
    if (own === undefined) return above ?? []
    return above === undefined || above.length === 0 ? own : [...above, ...own]
  }

  /** Names of everything, sorted. */
  names(): { readonly handlers: string[]; readonly listeners: string[]; readonly streams: string[] } {
    const above = this.#parent?.names() ?? { handlers: [], listeners: [], streams: [] }
    const merge = (map: ReadonlyMap<string, unknown> | undefined, names: string[]) =>
      [...new Set([...(map?.keys() ?? []), ...names])].sort()
    return {
      handlers: merge(this.#handlers, above.handlers),
      listeners: merge(this.#listeners, above.listeners),
      streams: merge(this.#streams, above.streams)
    }
  }
}
