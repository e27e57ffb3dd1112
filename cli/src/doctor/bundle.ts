import { RystraError } from '@rystra/model'
import { strToU8, zipSync } from 'fflate'
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
import type { AdminApi } from '../admin/admin-api.js'
import type { ServerSentEvent } from '../admin/server-sent-events.js'
import { type Examined, reportText } from './index.js'
import { runningApis } from './running.js'
import { redacted } from './subject.js'
import { withoutSecrets } from './without-secrets.js'

/** Milliseconds in which the events of a process are read: those that it keeps come at once. */
const EVENTS_TIMEOUT_MS = 1500

/** Events that a process keeps. */
const KEPT_EVENTS = 1024

/** Milliseconds of one answer. */
const ANSWER_TIMEOUT_MS = 5000

/** What a process answers at these paths becomes files. */
const answers = ['status', 'listeners', 'sessions', 'proxies', 'extensions', 'config', 'metrics'] as const

const within = async <Result>(work: Promise<Result>, ms: number): Promise<Result | { error: string }> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ error: string }>((resolve) => {
    timer = setTimeout(() => resolve({ error: `no answer within ${ms} ms` }), ms)
  })
  const done = work.catch((error: unknown) => ({ error: (error as Error).message }))
  return Promise.race([done, late]).finally(() => clearTimeout(timer))
}

/** The events that a process has kept. */
const keptEvents = async (api: AdminApi): Promise<ServerSentEvent[]> => {
  const { run, sequence } = await api.request<{ run: string; sequence: number }>('/v1/status')
  const found: ServerSentEvent[] = []
  if (sequence === 0) return found
  const after = Math.max(0, sequence - KEPT_EVENTS)
  for await (const event of api.events({}, `${run}.${after}`, AbortSignal.timeout(EVENTS_TIMEOUT_MS))) {
    found.push(event)
    if (event.id === `${run}.${sequence}`) break
  }
  return found
}

const processFiles = async (api: AdminApi): Promise<Record<string, unknown>> => {
  const found = await Promise.all(
    answers.map(async (name) => [name, await within(api.request(`/v1/${name}`), ANSWER_TIMEOUT_MS)] as const)
  )
  const events = await within(keptEvents(api), ANSWER_TIMEOUT_MS)
  const lines = await within(api.request<{ lines: string[] }>('/v1/extensions/recent-log/lines'), ANSWER_TIMEOUT_MS)
  const log = 'lines' in lines ? lines.lines.join('') : lines
  return {
    ...Object.fromEntries(found.map(([name, value]) => [`${name}.json`, value])),
    'events.json': events,
    'log.jsonl': log
  }
}

const machine = () => ({
  versions: process.versions,
  platform: process.platform,
  arch: process.arch,
  eventLoop: performance.eventLoopUtilization(),
  heap: getHeapStatistics(),
  heapSpaces: getHeapSpaceStatistics(),
  memory: process.memoryUsage()
})

/** Writes the report and all that is known of running processes into a zip file. Rejects with `file.failed`. */
export const writeBundle = async (file: string, { report, subject }: Examined): Promise<readonly string[]> => {
  const clean = withoutSecrets(subject.env, homedir())
  const files: Record<string, unknown> = {
    'report.txt': `${reportText(report)}\n`,
    'report.json': report,
    'config.json': await within(redacted(subject), ANSWER_TIMEOUT_MS),
    'command.json': machine()
  }
  for (const [index, api] of (await runningApis(subject)).entries()) {
    for (const [name, content] of Object.entries(await processFiles(api)))
      files[`process-${index + 1}/${name}`] = content
  }
  const entries = Object.entries(files).flatMap(([name, content]) => {
    if (content === undefined) return []
    const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`
    return [[name, strToU8(clean(text))] as const]
  })
  try {
    // It tells much about an installation, if no secrets.
    await writeFile(file, zipSync(Object.fromEntries(entries)), { mode: 0o600 })
  } catch (error) {
    throw new RystraError('file.failed', {
      detail: `${file}: ${(error as NodeJS.ErrnoException).code ?? 'failed'}`,
      cause: error
    })
  }
  return entries.map(([name]) => name)
}
