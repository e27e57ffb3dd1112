import { background, isRystraError, type Logger } from '@rystra/model'
import { containExceptions } from '@rystra/net'
import type { Runtime } from '@rystra/plugin'
import { ServiceNotifier } from '../service/notify.js'
import type { Feed } from './feed.js'
import type { StopSignals } from './stop-signals.js'
import { watchFile } from './watch-file.js'

/** A server or a client. */
export interface Running {
  readonly streams: number
  /** Knows whose code threw. */
  readonly runtime: Pick<Runtime, 'events'>
  readonly kernel: NonNullable<Parameters<typeof containExceptions>[1]>
  start(): Promise<void>
  stop(options?: { drain?: number }): Promise<void>
}

/** How {@link untilStopped} runs something. */
export interface RunOptions {
  readonly feed: Feed
  readonly log: Logger
  readonly signals: StopSignals
  /** Called after the start. What it throws ends the command. */
  readonly started: () => void
  /** Settles when it has ended by itself. @default never */
  readonly ended?: Promise<void>
  /** Whether reloads are told. @default true */
  readonly tellsReloads?: boolean
  /** Reads the configuration again. @default not possible */
  readonly reload?: (() => Promise<unknown>) | undefined
  /** The file that is read again when it changes. @default none */
  readonly watched?: string | undefined
}

/**
 * Starts it, and waits until a signal stops it or `ended` settles. The first SIGINT or SIGTERM drains and resolves; the
 * second ends the process at once. Rejects with what a start failed with, or what ended it.
 */
export const untilStopped = async (running: Running, options: RunOptions): Promise<void> => {
  const { feed, log, signals, started, ended = new Promise<void>(() => {}), reload, watched } = options
  const { promise: done, resolve: stopped, reject: failed } = deferred()
  const service = new ServiceNotifier()
  let up = false
  let stopping = false
  let changed = false
  const read = (): void => void reload?.().catch(() => {})
  // From before the start: an event of the start may be answered by a change of the file.
  const unwatch =
    watched === undefined
      ? () => {}
      : watchFile(
          watched,
          () => {
            changed = true
            if (up) read()
          },
          (err) => log.warn({ err }, 'the configuration is no longer watched')
        )
  signals.attach({
    stop: (reason) => {
      stopping = true
      background(service.stopping(), log, 'the stop was not reported to systemd')
      const { streams } = running
      const wait = streams === 0 ? '' : `; ${streams} open ${streams === 1 ? 'connection' : 'connections'} may finish`
      feed.event('stopping', { streams, ...(reason === undefined ? {} : { reason }) })
      feed.note(
        `stopping${reason === undefined ? '' : `: ${reason}`}${wait}${streams === 0 ? '' : ' (Ctrl-C again ends at once)'}`
      )
      void running.stop(up ? {} : { drain: 0 }).then(stopped, failed)
    },
    // What becomes of it is an event.
    reload:
      reload === undefined
        ? undefined
        : () => {
            service.reloading()
            read()
          }
  })
  const endReloads = options.tellsReloads === false ? () => {} : reportReloads(running, feed, log, service)
  feed.onGone = () => signals.stop('SIGTERM', 'the reader of --json was closed')
  // Node ends a process in which only promises are left to settle, with code 13 and without a word.
  const removeFence = containExceptions(log, {
    blame: (error) => running.kernel.blame?.(error),
    secretLog: (given) => running.kernel.secretLog?.(given) ?? given
  })
  const alive = setInterval(() => {}, 2 ** 30)
  try {
    try {
      await running.start()
      up = true
    } catch (error) {
      // Given up by the signal: not a failure.
      if (stopping && isRystraError(error)) return await done
      throw error
    }
    if (!stopping) {
      started()
      service.ready('running')
    }
    if (changed && !stopping) read()
    await Promise.race([done, ended.then(() => (stopping ? done : undefined))])
  } catch (error) {
    await running.stop({ drain: 0 })
    throw error
  } finally {
    unwatch()
    clearInterval(alive)
    endReloads()
    removeFence()
  }
  feed.event('stopped', {})
}

/** Tells each reload, also those of the admin API. */
const reportReloads = ({ runtime }: Running, feed: Feed, log: Logger, service: ServiceNotifier): (() => void) =>
  runtime.events.subscribe((event) => {
    if (event.type === 'reload.done') {
      service.reloaded('running')
      feed.event('reloaded', {})
      log.info('configuration reloaded')
      feed.logged('configuration reloaded')
    } else if (event.type === 'upgrade.done') {
      const { pid, sockets, rebound } = event.report
      service.replaced(pid)
      feed.event('upgraded', { pid, sockets, rebound })
      log.info({ pid, sockets }, 'another process has taken over; this one drains and ends')
      feed.logged(`process ${pid} has taken over; this one drains and ends`)
    } else if (event.type === 'upgrade.failed') {
      const { code, message } = event.error
      feed.event('upgradeFailed', { code, message })
      log.warn({ code, reason: message }, 'no other process has taken over, this one serves on')
      feed.logged(`no other process has taken over, this one serves on: ${message}`)
    } else if (event.type === 'reload.failed') {
      const { code, message } = event.error
      service.reloaded(`running; the last reload failed: ${code}`)
      feed.event('reloadFailed', { code, message })
      log.warn({ code, reason: message }, 'the configuration was not reloaded, the present one stays in effect')
      feed.logged(`the configuration was not reloaded, the present one stays in effect: ${message}`)
    }
  })

const deferred = (): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } => {
  let resolve: () => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<void>((onDone, onError) => {
    resolve = onDone
    reject = onError
  })
  // It may fail before it is awaited.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
