import type { UpgradeReport } from '@rystra/plugin'
import type { AdminApi } from './admin-api.js'

/** Milliseconds in which commands have to find the new process. */
const FOUND_TIMEOUT_MS = 10_000
const POLL_INTERVAL_MS = 50

/** Replaces the process, and resolves when commands find the new one. Rejects with `control.*`. */
export const upgrade = async (api: AdminApi, timeout: number | undefined): Promise<UpgradeReport> => {
  const body = timeout === undefined ? {} : { timeout }
  const report = await api.request<UpgradeReport>('/v1/upgrade', { method: 'POST', body })
  const deadline = Date.now() + FOUND_TIMEOUT_MS
  const isFound = async (): Promise<boolean> => {
    const status = await api.request<{ process: { pid: number } }>('/v1/status').catch(() => undefined)
    return status?.process.pid === report.pid
  }
  while (!(await isFound()) && Date.now() < deadline)
    await new Promise((resolve) => void setTimeout(resolve, POLL_INTERVAL_MS))
  return report
}

/** What an upgrade did, for people. */
export const upgradeText = ({ pid, sockets, rebound, members }: UpgradeReport): string =>
  [
    ...(members ?? []).map((one) => `Process ${one.pid} has taken over as member ${one.member}.`),
    members === undefined
      ? `Process ${pid} has taken over, with ${sockets} listening ${sockets === 1 ? 'socket' : 'sockets'}.`
      : `They have ${sockets} listening sockets. Process ${pid}, which starts the members, goes on.`,
    ...rebound.map((address) => `The UDP port of ${address} was bound anew: datagrams of that moment are lost.`)
  ].join('\n')
