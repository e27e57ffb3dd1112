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
  await out.columns('rystra_client_datagrams_total', 'counter', 'Datagrams of the link, by direction.', table, [
    ['direction="sent"', 'sent'],
    ['direction="received"', 'received']
  ])
  await out.columns('rystra_client_datagrams_dropped_total', 'counter', 'Datagrams that this end dropped.', table, [
    ['place="queue"', 'queue'],
    ['place="size"', 'size'],
    ['place="unclaimed"', 'unclaimed']
  ])
  await out.column('rystra_client_datagrams_queued', 'gauge', 'Datagrams that wait for the link.', table, 'queued')
  await out.column(
    'rystra_client_packets_lost_total',
    'counter',
    'Packets of a datagram transport that the peer did not get.',
    table,
    'lostPackets'
  )
}
