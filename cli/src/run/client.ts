import { type RystraConfig, validateBase } from '@rystra/config'
import type { RystraError } from '@rystra/model'
import { createClient } from '../index.js'
import { createLog, reportedOnTerminal } from '../log.js'
import { RecentLines } from '../recent-lines.js'
import { loadAdmin } from '../preset.js'
import { feedClient } from './events.js'
import { Feed } from './feed.js'
import { keepLastGood } from './last-good.js'
import { configuredName } from './server-name.js'
import { shareOnTerminal } from './share.js'
import { feedSilence } from './silence.js'
import { stateFolder } from './state.js'
import type { StopSignals } from './stop-signals.js'
import { untilStopped } from './until-stopped.js'

/** How a client is run. */
export interface RunClientOptions {
  readonly config: RystraConfig
  readonly dir: string
  readonly path?: string
  readonly json: boolean
  readonly debug: boolean
  /** Whether commands can find it. */
  readonly admin: boolean
  /** Of the configuration. */
  readonly warnings?: readonly string[]
  /** Whether a client of which nothing is published goes on, because some of it may be later. */
  readonly patient: boolean
  readonly signals: StopSignals
  /** Told to people when a proxy is published: how it is visited. */
  readonly visitLine?: string | undefined
  /** Whether it reloads when the file of the configuration changes. @default false */
  readonly watch?: boolean
  /** Whether the last good configuration is kept in the state folder. @default false */
  readonly keeps?: boolean
  /** Reads the configuration again. */
  readonly reload?: () => Promise<RystraConfig>
}

/** Runs a client until it is told to stop. Rejects with what it could not start with, or what ended it for good. */
export const runClient = async (options: RunClientOptions): Promise<void> => {
  const { dir, path, json, debug, patient, signals, reload } = options
  const origin = { dir, ...(path === undefined ? {} : { file: path }) }
  const base = validateBase(options.config, origin)
  const configured = path !== undefined
  const terminal = reportedOnTerminal(base.log)
  const brief = configured && !terminal
  const recent = options.admin ? new RecentLines() : undefined
  const log = await createLog({
    config: base.log,
    level: configured ? undefined : 'warn',
    debug,
    reported: !json && !brief,
    recent
  })
  const stateDir = stateFolder(configured)
  const preset = await loadAdmin(recent)
  const client = await createClient(base, {
    dir,
    log,
    preset,
    logLevel: log,
    onStop: () => signals.stop('SIGTERM', 'drained'),
    ...(reload === undefined ? {} : { source: { read: reload } }),
    ...(stateDir === undefined ? {} : { stateDir })
  })
  if (options.keeps === true && reload !== undefined)
    keepLastGood(client.runtime, { dir, config: options.config, stateDir, log, read: reload })
  const feed = new Feed({ json, brief, streams: !configured })
  for (const warning of options.warnings ?? []) feed.warn(log, warning)
  const { connect } = base.client ?? {}
  const server = connect === undefined ? '' : configuredName(connect)
  let starting = true
  feedClient(feed, client, { server, ends: () => starting && !patient })
  feedSilence(feed, client, server, connect?.transport ?? 'tcp')
  const muxer = connect?.muxer
  client.once('connected', (session) => {
    if (muxer !== undefined && session.muxer === 'native')
      feed.warn(log, `muxer ${muxer} has no effect: ${session.transport} carries streams by itself`)
  })
  const closeKeys = configured ? undefined : await shareOnTerminal(feed, client, signals)
  if (options.visitLine !== undefined) client.once('published', () => feed.note(options.visitLine ?? ''))
  const refused: { error: RystraError; again: boolean }[] = []
  client.on('refused', ({ what, error, retryIn }) => {
    if (what === 'proxy') refused.push({ error, again: retryIn !== undefined })
  })
  feed.logged(`connecting to ${server} …`)
  const running = untilStopped(client, {
    feed,
    log,
    signals,
    started: () => {
      const [first] = refused
      const hopeless = !patient || refused.every(({ again }) => !again)
      if (first !== undefined && client.proxies.length === 0 && hopeless) throw first.error
      starting = false
    },
    ended: client.closed,
    watched: options.watch === true ? path : undefined,
    reload: reload === undefined ? undefined : () => client.reload()
  })
  await running.finally(() => closeKeys?.())
}
