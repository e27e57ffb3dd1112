import type { DatagramStats } from '@rystra/plugin'
import type { Exposition } from './exposition.js'
import type { SeriesTable } from './series.js'

export type DatagramColumn = 'sent' | 'received' | 'queued' | 'queue' | 'size' | 'unclaimed' | 'lostPackets'

export const datagramRow = ({ dropped, ...numbers }: DatagramStats): Record<DatagramColumn, number> => ({
  ...numbers,
  ...dropped
})

/** Datagrams of links whose transport has them. */
export const renderDatagrams = async (table: SeriesTable<DatagramColumn>, out: Exposition): Promise<void> => {
  const directions = [
    ['direction="sent"', 'sent'],
    ['direction="received"', 'received']
  ] as const
  const places = [
    ['place="queue"', 'queue'],
    ['place="size"', 'size'],
    ['place="unclaimed"', 'unclaimed']
  ] as const
  await out.metrics(table, [
    ['rystra_client_datagrams_total', 'counter', 'Datagrams of the link, by direction.', directions],
    ['rystra_client_datagrams_dropped_total', 'counter', 'Datagrams that this end dropped.', places],
    ['rystra_client_datagrams_queued', 'gauge', 'Datagrams that wait for the link.', 'queued'],
    [
      'rystra_client_packets_lost_total',
      'counter',
      'Packets of a datagram transport that the peer did not get.',
      'lostPackets'
    ]
  ])
}
