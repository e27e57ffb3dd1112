import { Router } from './router/router.js'
import type { Handler, HandlerOptions, Listener, StreamHandler } from './session/rpc-session.js'
import { register } from './service/decorators.js'
import type { Members, Service } from './service/define.js'
import { type Implementation, implement } from './service/implement.js'

/** Gathers what a program handles. */
export class Registrar {
  readonly router = new Router()

  /** Answers requests of this name. */
  handler(name: string, fn: Handler, { replaySafe }: HandlerOptions = {}): this {
    this.router.handler({ name, fn, replaySafe })
    return this
  }

  /** Listens to events of this name. */
  listener(name: string, fn: Listener): this {
    this.router.listener({ name, fn })
    return this
  }

  /** Takes streams of this name. */
  streamHandler(name: string, fn: StreamHandler): this {
    this.router.streamHandler({ name, fn })
    return this
  }

  /** Handles the members of a service that the other side calls: on a client those of `reverse(service)`. */
  service<Of extends Members>(service: Service<Of>, handlers: Implementation<Of>): this {
    implement(this.router, service, handlers)
    return this
  }

  /** Handles what an object says by `@handler`, `@listener` and `@streamHandler`. */
  register(instance: object): this {
    register(this.router, instance)
    return this
  }
}
