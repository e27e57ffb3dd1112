import type { ProxyKind, ProxySpec, Published } from '@rystra/plugin'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Maker } from './subject.js'

/** A kind of proxy under test. */
export interface ProxyKindSubject {
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a spec type of its own
  readonly kind: Maker<ProxyKind<any>>
  /** An entry of `client.proxies` for a service at this address, `127.0.0.1:port`. Any free public port. */
  spec(local: string): ProxySpec
  /** Entries that must be refused, by the schema or by `expand`, each with a name for the report. */
  readonly invalid?: Readonly<Record<string, ProxySpec>>
  /** What services and visitors send each other. @default bytes */
  readonly carries?: 'bytes' | 'datagrams'
  /**
   * Comes as a visitor and asks for the service's bytes; `spec` is the entry of the service, as {@link spec} made it.
   * @default connects to the address with TCP
   */
  visit?(published: Published, spec: ProxySpec): Promise<Duplex> | Duplex
  /** For a kind whose services have to say something first: says it, and answers with what is the visitor's. */
  serve?(socket: Socket): Promise<Duplex> | Duplex
  /**
   * For a kind that is visited: an entry of `client.visitors`, on any free port, for an entry made by {@link spec}.
   * Visitors come through it.
   */
  visitor?(spec: ProxySpec): ProxySpec
}
