import type { StatusView } from '@rystra/admin-http'
import { adminSocketPath } from '@rystra/admin-http/socket'
import { AdminApi } from '../admin/admin-api.js'
import { bytesText, refusedText, timeText } from '../admin/text.js'
import { packageRoot } from '../package-root.js'
import { readPackage } from '../project/checkout.js'
import { type Check, fail, type Finding, ok, skip, warn } from './finding.js'
import { listensAt } from './local.js'
import type { Subject } from './subject.js'

/** Share of its time in which the event loop is busy, above which everything waits. */
const BUSY = 0.9

/** The processes of a state folder that can be asked. */
export const runningApis = async ({ stateDir }: Pick<Subject, 'stateDir'>): Promise<AdminApi[]> => {
  const files = (['server', 'client'] as const).map((side) => adminSocketPath(stateDir, side))
  const live = await Promise.all(files.map(listensAt))
  return files.filter((_, index) => live[index]).map((path) => new AdminApi({ kind: 'unix', path }))
}

const findingsOf = (status: StatusView, version: string | undefined): Finding[] => {
  const { side, process: of, sessions, refused } = status
  const findings: Finding[] = []
  const name = 'process'
  if (side === 'client' && sessions === 0)
    findings.push(
      fail(name, 'The client runs and has no session.', 'see `rystra logs`, and the other checks of this report')
    )
  if (status.version !== version)
    findings.push(
      warn(
        name,
        `The ${side} runs rystra ${status.version}, this command is ${version}.`,
        'restart it to run what is installed'
      )
    )
  if (of.eventLoopUtilization > BUSY)
    findings.push(
      warn(
        name,
        `The event loop is busy for ${Math.round(of.eventLoopUtilization * 100)} % of its time.`,
        'see `rystra top`: who sends so much, and which taps take so long'
      )
    )
  const text = `The ${side} has run for ${timeText(of.uptime * 1000)} with ${sessions} sessions, ${status.proxies} proxies, ${status.streams} streams; ${bytesText(of.heapUsed)} of heap, ${bytesText(of.rss)} of memory; refused ${refusedText(refused)}.`
  return [ok(name, text), ...findings]
}

export const runningCheck = (subject: Subject): Check => ({
  name: 'process',
  async run() {
    const apis = await runningApis(subject)
    if (apis.length === 0) return [skip('process', 'No process of this folder runs.')]
    const { version } = (await readPackage(packageRoot)) ?? {}
    const all = await Promise.all(apis.map((api) => api.request<StatusView>('/v1/status')))
    return all.flatMap((status) => findingsOf(status, version))
  }
})
