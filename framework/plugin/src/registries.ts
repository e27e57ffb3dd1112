import type { AdminRoutes } from './admin-routes.js'
import type { Authenticator } from './authenticator.js'
import type { CertificateSource } from './certificates.js'
import type { ChannelHandler } from './channel.js'
import type { Directory } from './directory.js'
import type { Discovery } from './discovery.js'
import type { VisitCheck } from './explain.js'
import type { HttpObserver } from './http-observer.js'
import type { Muxer } from './muxer.js'
import type { ProxyKind } from './proxy.js'
import type { Relay } from './relay.js'
import type { Transport } from './transport.js'

/** Things by name. Filled during set-up, frozen afterwards. */
export interface Registry<Thing> {
  /** Adds under the name that the thing carries. Throws `registry.duplicate`, naming both extensions. */
  add(thing: Thing): void
  /** Throws `registry.unknown`, naming what there is. */
  get(name: string): Thing
  has(name: string): boolean
  /** Names, in the order they were added. */
  list(): readonly string[]
}

/** Every registry there is. */
export interface Registries {
  readonly transports: Registry<Transport>
  readonly muxers: Registry<Muxer>
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a spec type of its own
  readonly proxies: Registry<ProxyKind<any>>
  readonly authenticators: Registry<Authenticator>
  readonly relays: Registry<Relay>
  readonly discoveries: Registry<Discovery>
  readonly directories: Registry<Directory>
  readonly channels: Registry<ChannelHandler>
  /** Read by an extension that serves an admin API. */
  readonly adminRoutes: Registry<AdminRoutes>
  /** Asked by `Runtime.explain`. */
  readonly visitChecks: Registry<VisitCheck>
  /** Asked by kinds that end TLS. */
  readonly certificateSources: Registry<CertificateSource>
  /** Told of requests by kinds that speak HTTP. */
  readonly httpObservers: Registry<HttpObserver>
}

/** Names of all registries, frozen. */
export const registryNames = Object.freeze([
  'transports',
  'muxers',
  'proxies',
  'authenticators',
  'relays',
  'discoveries',
  'directories',
  'channels',
  'adminRoutes',
  'visitChecks',
  'certificateSources',
  'httpObservers'
] as const) satisfies readonly (keyof Registries)[]

export type RegistryName = (typeof registryNames)[number]
