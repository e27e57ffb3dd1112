/** The aims of RPC, each as a ratio within the run or as a figure of it. The "very good" ones are in brackets. */
const LOOPBACK = 'loopback'
const LINE = '50 Mbit/s, 40 ms'
const KIB = 1024

/** @param of the median of a field of a load of a peer; `extra` what was measured once for each peer */
export const aims = ({ of, extra }) => {
  const ratio = (peer, key, field = 'cpu', over = 'rystra') => of(peer, key, field) / of(over, key, field)
  const least = (text, value, bound) => ({ text, value, met: Number.isFinite(value) ? value >= bound : undefined })
  const most = (text, value, bound) => ({ text, value, met: Number.isFinite(value) ? value <= bound : undefined })
  const inflation = (name, where) => {
    const { alone, crowded } = extra[name]?.[where] ?? {}
    return crowded === undefined ? Number.NaN : crowded.p99 / alone.p99
  }
  const own = extra.rystra ?? {}
  return [
    least('CPU of a small call, 64 in flight, grpc ÷ rystra ≥ 20 (35)', ratio('grpc', 'small 64'), 20),
    least('the same, ws ÷ rystra ≥ 1.5 (2.2)', ratio('ws', 'small 64'), 1.5),
    least('CPU of a call with a record of 1 KiB, grpc ÷ rystra ≥ 8 (12)', ratio('grpc', 'record 64'), 8),
    least('the same, ws ÷ rystra ≥ 0.5 (0.8)', ratio('ws', 'record 64'), 0.5),
    most('p50 of one call at a time, rystra ÷ ws ≤ 1.8 (1.3)', ratio('rystra', 'small 1', 'p50', 'ws'), 1.8),
    most('CPU of a small call, 64 in flight, TLS ÷ plain ≤ 2 (1.5)', ratio('rystra-tls', 'small 64'), 2),
    least('CPU of an event, ws ÷ rystra ≥ 1.8 (2.5)', ratio('ws', 'events'), 1.8),
    least('CPU of a megabyte in chunks of 16 KiB, grpc ÷ rystra ≥ 4 (7)', ratio('grpc', '16 KiB chunks'), 4),
    most('heap of an open stream at the server, KiB ≤ 3 (1)', (own.streams?.server.heap ?? Number.NaN) / KIB, 3),
    most('heap of an open stream at the client, KiB ≤ 3 (1)', (own.streams?.client.heap ?? Number.NaN) / KIB, 3),
    most('RSS of an idle session at the server, KiB ≤ 20 (12)', (own.idle?.server.rss ?? Number.NaN) / KIB, 20),
    most('RSS of an idle client in one process, KiB ≤ 20 (12)', (own.idle?.client.rss ?? Number.NaN) / KIB, 20),
    most('a reader that stops: memory of the sender, KiB ≤ 1024', (own.stalled?.memory ?? Number.NaN) / KIB, 1024),
    most('p99 of small calls beside a message of 100 MB, ms ≤ 50 (12)', own.message?.p99 ?? Number.NaN, 50),
    ...['rystra', 'rystra-tls', 'rystra-quic'].flatMap((name) =>
      [LOOPBACK, LINE].map((where) =>
        most(`p99 beside bulk ÷ alone, ${name}, ${where} ≤ 8 (3)`, inflation(name, where), 8)
      )
    )
  ]
}
