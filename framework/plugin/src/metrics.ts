/** One number of one metric. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One metric with all its numbers. */
export interface MetricSnapshot {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly values: readonly MetricValue[]
}

/** Counters and gauges for monitoring. Names as Prometheus wants them: `rystra_audit_lost_total`. */
export interface Metrics {
  counter(name: string, help: string): { add(count?: number, labels?: Readonly<Record<string, string>>): void }
  gauge(name: string, help: string): { set(value: number, labels?: Readonly<Record<string, string>>): void }
  /**
   * Calls back before each {@link snapshot}, for numbers that are read rather than counted. It must not throw. The answer
   * ends it.
   */
  collect(read: () => void): () => void
  /** A copy of all numbers of all extensions, for those that show them. In the order in which the metrics were made. */
  snapshot(): readonly MetricSnapshot[]
}
