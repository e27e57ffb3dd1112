import type { CertificateView, ListenerView, StatusView } from '@rystra/admin-http'
import type { AdminApi, ListPage } from './admin-api.js'
import { bytesText, plainText, refusedText, timeText } from './text.js'

/** Certificates that are listed for people. */
const MAX_CERTIFICATES = 20

/** The state of a process, with its listeners and certificates. */
export type Status = StatusView & {
  readonly listeners: readonly ListenerView[]
  readonly certificates: readonly CertificateView[]
}

export const statusOf = async (api: AdminApi): Promise<Status> => {
  const status = await api.request<StatusView>('/v1/status')
  const { items } = await api.request<ListPage<ListenerView>>('/v1/listeners')
  const certificates = await api.request<ListPage<CertificateView>>('/v1/certificates?limit=1000')
  return { ...status, listeners: items, certificates: certificates.items }
}

const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

const certificateText = ({ host, state, expires, error }: CertificateView): string => {
  const use = expires === undefined ? 'no certificate yet' : `until ${dayOf(expires)}`
  const why = error === undefined ? '' : `: ${plainText(error.message)}`
  return `${plainText(host)} ${use}${state === 'valid' ? '' : `, ${state}`}${why}`
}

/** Servers of a cluster that are listed for people. */
const MAX_MEMBERS = 20

const clusterRows = (cluster: Status['cluster']): [string, string][] => {
  if (cluster === undefined) return []
  const { members, state, forwarded } = cluster
  const names = members.slice(0, MAX_MEMBERS).map(({ name, self }) => (self ? `${name} (this one)` : name))
  const more = members.length - MAX_MEMBERS
  const shown = plainText([...names, ...(more > 0 ? [`${more} more`] : [])].join(', '))
  return [['cluster', `${plainText(cluster.cluster)}, ${state}: ${shown}; ${forwarded} streams passed on`]]
}

/** The state for people. */
export const statusText = (status: Status): string => {
  const { process: of, listeners, certificates } = status
  const more = certificates.length - MAX_CERTIFICATES
  const rows: [string, string][] = [
    ...listeners.map(({ id, open }): [string, string] => ['listens', `${id}, ${open} open`]),
    ...certificates.slice(0, MAX_CERTIFICATES).map((one): [string, string] => ['host', certificateText(one)]),
    ...(more > 0 ? [['', `and ${more} more hosts: --json`] as [string, string]] : []),
    ...clusterRows(status.cluster),
    ['sessions', `${status.sessions} (${status.sessionsOpened} so far)`],
    ['proxies', String(status.proxies)],
    ['streams', `${status.streams} (${status.opened} so far)`],
    ['traffic', `${bytesText(status.bytesToService)} to services, ${bytesText(status.bytesToVisitor)} to visitors`],
    ['refused', refusedText(status.refused)],
    ['memory', `${bytesText(of.rss)}, processor ${timeText((of.cpuUser + of.cpuSystem) * 1000)}`],
    ...(status.logLevel === undefined ? [] : [['log level', status.logLevel] as [string, string]]),
    ['revision', status.revision]
  ]
  const state = status.state === 'running' ? 'has run' : 'drains, and has run'
  return [
    `The ${status.side}${status.cluster === undefined ? '' : ` ${plainText(status.cluster.name)}`} ${state} for ${timeText(of.uptime * 1000)} (pid ${of.pid}, rystra ${status.version}, Node ${of.node}).`,
    ...rows.map(([name, text]) => `  ${name.padEnd(10)}${text}`)
  ].join('\n')
}
