import type { ClientMemory, StreamMemory } from './memory.js'
import type { ClockResult } from './clock.js'
import type { RegistryResult } from './registry.js'
import type { Series } from './statistics.js'
import type { FieldName, MetricKey } from './metric.js'

export * from './metric.js'

/** All that was found out about one route. */
export interface RouteResult {
  readonly field: FieldName
  readonly name: string
  readonly title: string
  readonly values: Partial<Record<MetricKey, Series>>
  streams?: StreamMemory
  clients?: ClientMemory
  /** Measurements that failed, in words. */
  readonly failures: string[]
}

/** A peer that was not measured, and why. */
export interface Absent {
  readonly name: string
  readonly why: string
}

/** Everything of one run. */
export interface Report {
  readonly machine: {
    readonly node: string
    readonly system: string
    readonly processors: string
    readonly descriptors: number
  }
  readonly rounds: number
  readonly windowMilliseconds: number
  readonly seconds: number
  readonly routes: readonly RouteResult[]
  /** What makes the requests, if they are measured. */
  readonly requestLoad?: 'wrk' | 'own'
  /** Ten thousand hosts, if they were asked for; or why that failed. */
  readonly registry?: RegistryResult | string
  /** Clock and jitter buffer of RPC, if they were asked for. */
  readonly clock?: ClockResult
  readonly absent: readonly Absent[]
}

export const medianOf = (routes: readonly RouteResult[], name: string, key: MetricKey): number =>
  routes.find((route) => route.name === name)?.values[key]?.median ?? Number.NaN
