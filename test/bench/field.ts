import type { Address } from './address.js'
import type { Load } from './load/index.js'
import type { BenchOptions, Measure } from './options.js'
import type { Peer, Route } from './peer.js'
import type { FieldName, MetricKey } from './metric.js'
import type { Scratch } from './scratch.js'

/** A route and where on the service it ends. */
export interface Way {
  readonly name: string
  readonly route: Route
  /** The port of the service that this route alone leads to. */
  readonly port: number
  /** The muxer of ours on plain TCP, whose idle clients are measured too. */
  readonly muxer?: string | undefined
}

/** What a measurement in a round works with. */
export interface Round {
  readonly load: Load
  readonly way: Way
  readonly options: BenchOptions
  readonly scratch: Scratch
  keep(key: MetricKey, value: number): void
  /** A measurement that fails is told, and the others go on. */
  attempt(what: string, measure: () => Promise<void>): Promise<void>
}

/** One kind of service: the ways to it, and what is measured of each in every round. */
export interface Field {
  readonly name: FieldName
  /** Any of these has it measured. */
  readonly measures: readonly Measure[]
  /** What everything is set against. */
  readonly baseline: Peer
  readonly own: readonly Peer[]
  readonly others: readonly Peer[]
  /** A port of the service for one more route. */
  open(load: Load): Promise<number>
  /** Waits until a route is through; throws when it does not get there. */
  ready(address: Address, way: Omit<Way, 'route'>, load: Load, signal: AbortSignal): Promise<void>
  once(round: Round): Promise<void>
}
