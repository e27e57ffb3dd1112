import type { Router } from '../router/router.js'

interface Mark {
  readonly kind: 'handler' | 'listener' | 'streamHandler'
  readonly name: string
}

type Method = (...args: never[]) => unknown

/** By the method itself, so that subclasses inherit them. */
const marks = new WeakMap<Method, Mark>()

const mark =
  (kind: Mark['kind'], name: string) =>
  <Fn extends Method>(method: Fn, _context: ClassMethodDecoratorContext): void => {
    marks.set(method, { kind, name })
  }

/** Answers requests of this name with the method: `(session, data, call)`. See {@link register}. */
export const handler = (name: string) => mark('handler', name)

/** Gets events of this name. */
export const listener = (name: string) => mark('listener', name)

/** Gets streams of this name: `(session, stream, call)`. */
export const streamHandler = (name: string) => mark('streamHandler', name)

/** Handles what the marked methods of an object say. */
export const register = (router: Router, instance: object): void => {
  for (
    let level: object | null = Object.getPrototypeOf(instance);
    level !== null;
    level = Object.getPrototypeOf(level)
  ) {
    for (const key of Object.getOwnPropertyNames(level)) {
      const method = Object.getOwnPropertyDescriptor(level, key)?.value as Method | undefined
      const found = typeof method === 'function' ? marks.get(method) : undefined
      // A subclass that overrides it without a mark has taken it back.
      if (found === undefined || (instance as Record<string, unknown>)[key] !== method) continue
      router[found.kind]({ name: found.name, fn: (method as Method).bind(instance) as never })
    }
  }
}
