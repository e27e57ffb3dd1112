import type { ProxyView, SessionView } from '@rystra/admin-http'
import { table } from '../table.js'
import { bytesText, plainText, timeText } from './text.js'

/** Sessions for people. */
export const sessionTable = (sessions: readonly SessionView[]): string =>
  table(
    ['CLIENT', 'IDENTITY', 'ADDRESS', 'TRANSPORT', 'UP', 'RTT', 'PROXIES', 'STREAMS', 'TO SERVICE', 'TO VISITOR', 'ID'],
    sessions.map((one) => [
      plainText(one.client),
      plainText(one.identity),
      one.server ?? (one.member === undefined ? one.peer : `${one.peer} (member ${one.member})`),
      one.transport,
      timeText(Date.now() - one.since),
      one.rtt === undefined ? '' : `${Math.round(one.rtt)} ms`,
      String(one.proxies),
      String(one.streams),
      bytesText(one.bytesToService),
      bytesText(one.bytesToVisitor),
      one.id
    ])
  )

/** Proxies for people. */
export const proxyTable = (proxies: readonly ProxyView[]): string => {
  const added = proxies.some(({ origin }) => origin === 'server')
  return table(
    [
      'NAME',
      'KIND',
      'STATE',
      'ADDRESS',
      'CLIENT',
      ...(added ? ['ADDED BY'] : []),
      'STREAMS',
      'TO SERVICE',
      'TO VISITOR',
      'ID'
    ],
    proxies.map((one) => [
      plainText(one.name),
      one.kind,
      one.healthy ? one.state : `${one.state}, unhealthy`,
      plainText(one.published?.map(({ address }) => address).join(', ') ?? one.address ?? one.error?.code ?? ''),
      plainText(one.client ?? ''),
      ...(added ? [addedBy(one)] : []),
      String(one.streams),
      bytesText(one.bytesToService),
      bytesText(one.bytesToVisitor),
      one.id
    ])
  )
}

const addedBy = ({ origin, by }: ProxyView): string => (origin === 'server' ? plainText(by ?? 'the server') : '')
