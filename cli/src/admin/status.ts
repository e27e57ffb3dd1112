import type { ListenerView, StatusView } from '@rystra/admin-http'
import type { AdminApi, ListPage } from './admin-api.js'
import { bytesText, refusedText, timeText } from './text.js'

/** The state of a process, with its listeners. */
export type Status = StatusView & { readonly listeners: readonly ListenerView[] }

export const statusOf = async (api: AdminApi): Promise<Status> => {
  const status = await api.request<StatusView>('/v1/status')
  const { items } = await api.request<ListPage<ListenerView>>('/v1/listeners')
  return { ...status, listeners: items }
}

/** The state for people. */
export const statusText = (status: Status): string => {
  const { process: of, listeners } = status
  const rows: [string, string][] = [
    ...listeners.map(({ id, open }): [string, string] => ['listens', `${id}, ${open} open`]),
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
    `The ${status.side} ${state} for ${timeText(of.uptime * 1000)} (pid ${of.pid}, rystra ${status.version}, Node ${of.node}).`,
    ...rows.map(([name, text]) => `  ${name.padEnd(10)}${text}`)
  ].join('\n')
}
