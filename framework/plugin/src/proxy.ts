import type { TSchema } from '@sinclair/typebox'
import type { Address, Logger, ProxySpec, SessionInfo, StreamInfo, VisitorInfo } from '@rystra/model'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { StreamLink } from './transport.js'

/** What a proxy kind asks the server to listen on. */
export interface PublishAddress {
  /** Left out or 0: any free port that the server allows. */
  readonly port?: number
  /** @default `server.publish.host` */
  readonly host?: string
}

/** What the server gives the server half of a proxy kind, one for each published proxy. */
export interface PublishHost {
  readonly session: SessionInfo
  readonly log: Logger
  /** Aborted when the proxy is taken back. */
  readonly signal: AbortSignal
  /** What the session has besides streams, datagrams for example. */
  readonly link: StreamLink
  /**
   * Binds a TCP port within the policy of the server. Rejects with `proxy.port-not-allowed`, `proxy.port-privileged`,
   * `proxy.port-taken` or `proxy.no-free-port`. Closed with the proxy.
   */
  listen(address: PublishAddress, onVisitor: (visitor: Socket) => void): Promise<Address>
  /** Opens a stream for a visitor and relays it until both are done: onOpenStream, header, relay, onCloseStream. */
  relay(visitor: Duplex, info: VisitorInfo): void
  /** Opens a stream for a visitor, for kinds that do not relay byte by byte. Resolves when the service is reached. */
  openStream(info: VisitorInfo): Promise<Duplex>
}

/** A proxy that visitors can reach. */
export interface Published {
  /** What is told to the client and shown to people: `203.0.113.7:20022`, for example. */
  readonly address: string
  /** Takes it back; streams that are open go on. */
  close?(): Promise<void> | void
}

/** What the client gives the client half of a proxy kind, one for each stream. */
export interface ReachHost {
  readonly stream: StreamInfo
  readonly log: Logger
  /** Aborted when the visitor is gone. */
  readonly signal: AbortSignal
  /**
   * Connects to a service: `host:port`, `unix:/path`. Tried 3 times, 200 ms apart and doubling, before it rejects with
   * `stream.service-unreachable`.
   */
  connect(local: string): Promise<Socket>
  /** Tells the server that the service is reached, and relays until both are done. */
  relay(service: Duplex): Promise<void>
  /** Tells the server that the service is reached, and hands the stream over, for kinds that do not relay byte by byte. */
  accept(): Duplex
}

/** A way to publish a service. `registries.proxies` */
export interface ProxyKind<Spec extends ProxySpec = ProxySpec> {
  /** `tcp`, for example. */
  readonly kind: string
  /** The fields of a `client.proxies` entry beside `name`, `kind` and those common to all kinds. */
  readonly spec: TSchema
  /** Fields that are for the client alone and are not sent to the server, such as `local`. */
  readonly localFields?: readonly string[]
  /** Client: makes several proxies out of one entry, for port ranges. Throws `proxy.invalid`. */
  expand?(spec: Spec): Spec[]
  /** Server half. Throws what is to be told to the client. */
  publish(spec: Spec, host: PublishHost): Promise<Published>
  /** Client half. A throw resets the stream, and tells the server why. */
  reach(spec: Spec, host: ReachHost): Promise<void>
}
