/** A kind of service, with the ways to it. */
export type FieldName = 'streams' | 'requests' | 'packets' | 'hooks' | 'open' | 'watching' | 'watching-requests'

/** What is measured in rounds. */
export type MetricKey =
  // Throughput with 1 and 8 streams, CPU, round trips, new connections.
  | 'up1'
  | 'down1'
  | 'up8'
  | 'down8'
  | 'cpu'
  | 'p50'
  | 'p99'
  | 'connections'
  | 'connectionCpu'
  | 'links'
  | 'resumed'
  // Requests: a second, times, CPU of each.
  | 'requests'
  | 'requestP50'
  | 'requestP99'
  | 'requestCpu'
  // Datagrams: a second by size, there and back, CPU of each, the share that is lost at a given pace.
  | 'up64'
  | 'down64'
  | 'up1200'
  | 'down1200'
  | 'trip512'
  | 'datagramCpu'
  | 'lost'

/** One column of the table. */
export interface Metric {
  readonly key: MetricKey
  readonly title: string
  readonly digits: number
}

/** Every column that is measured in rounds. */
export const metrics: readonly Metric[] = [
  { key: 'up1', title: 'up ×1 Gbit/s', digits: 2 },
  { key: 'down1', title: 'down ×1', digits: 2 },
  { key: 'up8', title: 'up ×8', digits: 2 },
  { key: 'down8', title: 'down ×8', digits: 2 },
  { key: 'cpu', title: 'CPU s/GB', digits: 2 },
  { key: 'p50', title: 'p50 µs', digits: 0 },
  { key: 'p99', title: 'p99 µs', digits: 0 },
  { key: 'connections', title: 'new conn/s', digits: 0 },
  { key: 'connectionCpu', title: 'CPU µs/conn', digits: 0 },
  { key: 'links', title: 'links/s', digits: 0 },
  { key: 'resumed', title: 'resumed/s', digits: 0 },
  { key: 'requests', title: 'requests/s', digits: 0 },
  { key: 'requestP50', title: 'p50 µs', digits: 0 },
  { key: 'requestP99', title: 'p99 µs', digits: 0 },
  { key: 'requestCpu', title: 'CPU µs each', digits: 1 },
  { key: 'up64', title: 'up 64 B/s', digits: 0 },
  { key: 'down64', title: 'down 64 B/s', digits: 0 },
  { key: 'up1200', title: 'up 1200 B/s', digits: 0 },
  { key: 'down1200', title: 'down 1200 B/s', digits: 0 },
  { key: 'trip512', title: 'trips 512 B/s', digits: 0 },
  { key: 'datagramCpu', title: 'CPU µs each', digits: 1 },
  { key: 'lost', title: 'lost %', digits: 2 }
]
