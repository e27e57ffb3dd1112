import {
  defineExtension,
  type Extension,
  type ProxyKind,
  type ProxySpec,
  type PublishHost,
  RystraError,
  Type
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { duplexPair } from './pair.js'

const Spec = Type.Object({ local: Type.String({ minLength: 1, description: 'The name of a service, see `serve`' }) })

/**
 * Visitors and services within the process: what a kind of proxy joins, without a port on either side. Give one to the server
 * and its clients.
 */
export class MemoryServices {
  readonly #services = new Map<string, (stream: Duplex) => void>()
  readonly #published = new Map<string, PublishHost>()
  #visitors = 0

  /** The extension `proxy-memory`, with the kind `memory`: `{ name, kind: 'memory', local: <name of a service> }`. */
  readonly extension: Extension = defineExtension({
    name: 'proxy-memory',
    setup: ({ registries }) => registries.proxies.add(this.#kind())
  }) as Extension

  /** Makes a service. `onVisitor` gets each stream. */
  serve(name: string, onVisitor: (stream: Duplex) => void): void {
    this.#services.set(name, onVisitor)
  }

  /** Comes to a published proxy as a visitor. Throws when no proxy has this name. */
  visit(proxy: string): Duplex {
    const host = this.#published.get(proxy)
    if (host === undefined) throw new RystraError('registry.unknown', { detail: `a published proxy "${proxy}"` })
    const [visitor, publicSide] = duplexPair()
    host.relay(publicSide, { host: 'visitor', port: ++this.#visitors, to: { host: 'memory', port: 0 } })
    return visitor
  }

  #kind(): ProxyKind<ProxySpec> {
    return {
      kind: 'memory',
      spec: Spec,
      localFields: ['local'],
      publish: async (spec, host) => {
        if (this.#published.has(spec.name)) throw new RystraError('proxy.name-taken', { detail: spec.name })
        this.#published.set(spec.name, host)
        return {
          address: `memory:${spec.name}`,
          close: () => void (this.#published.get(spec.name) === host && this.#published.delete(spec.name))
        }
      },
      reach: async (spec, host) => {
        const service = this.#services.get(String(spec.local))
        if (service === undefined) {
          throw new RystraError('stream.service-unreachable', { side: 'client', detail: String(spec.local) })
        }
        const [near, far] = duplexPair()
        service(far)
        await host.relay(near)
      }
    }
  }
}
