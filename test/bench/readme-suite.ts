/** What the README shows. The first row of each table is the load without a tunnel: no figure can be above it. */
export const readmeSuite = {
  suite: 'readme' as const,
  only: [
    ...['=direct', '=http-direct', '=udp-direct'],
    ...['=rystra-direct', '=rystra-yamux', '=rystra-tls-yamux', '=rystra-quic'],
    ...['=http-rystra-yamux', '=http-rystra-tls-yamux', '=udp-rystra-yamux', '=udp-rystra-quic'],
    ...['haproxy', 'rathole', 'bore', 'frp', 'chisel', 'ssh', 'stunnels', '=http-node', '=udp-node']
  ],
  measures: new Set(['bulk', 'latency', 'connections', 'requests', 'packets'] as const),
  rounds: 5,
  window: 1000,
  warmup: 300,
  trips: 3000,
  connecting: 1000,
  seconds: 540
}
