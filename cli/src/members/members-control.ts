import { eventError, type EventLog } from '@rystra/control'
import { RystraError, toRystraError } from '@rystra/model'
import type {
  DrainOptions,
  LogLevel,
  Plan,
  ProxyHandle,
  ReloadOptions,
  ReloadReport,
  RuntimeControl,
  UpgradeReport
} from '@rystra/plugin'
import type { Member } from './member.js'

/** Changes all members, with one answer. */
export class MembersControl implements RuntimeControl {
  readonly #members: () => readonly Member[]
  readonly #events: EventLog
  readonly #onStop: () => void
  #turn: Promise<unknown> = Promise.resolve()

  /** @param members Those that run */
  constructor(members: () => readonly Member[], events: EventLog, onStop: () => void) {
    this.#members = members
    this.#events = events
    this.#onStop = onStop
  }

  get #first(): Member {
    const [first] = this.#members()
    if (first === undefined)
      throw new RystraError('control.unavailable', { side: 'server', detail: 'no member runs now' })
    return first
  }

  get revision(): string {
    return this.#members()[0]?.snapshot?.revision ?? ''
  }

  config(): object {
    return this.#members()[0]?.snapshot?.config ?? {}
  }

  /** The same for all. */
  async plan(config?: object): Promise<Plan> {
    return this.#first.ask<'plan', Plan>('plan', { config })
  }

  /** One member after the other: when the first refuses the configuration, all stay as they were. */
  reload(config?: object, { revision }: ReloadOptions = {}): Promise<ReloadReport> {
    const done = this.#turn.then(() => this.#reload(config, revision))
    this.#turn = done.catch(() => {})
    return done
  }

  async #reload(config: object | undefined, revision: string | undefined): Promise<ReloadReport> {
    let report: ReloadReport | undefined
    let duration = 0
    try {
      for (const member of [this.#first, ...this.#members().slice(1)]) {
        const one = await member.ask<'reload', ReloadReport>('reload', { config, revision }).catch((cause: unknown) => {
          const { code, detail } = toRystraError(cause)
          throw new RystraError(code, { side: 'server', detail: `member ${member.name}: ${detail}`, cause })
        })
        report ??= one
        duration += one.duration
        await member.refresh()
      }
      const whole = { ...(report as ReloadReport), duration }
      this.#events.emit('reload.done', { report: whole })
      return whole
    } catch (error) {
      this.#events.emit('reload.failed', { error: eventError(toRystraError(error)) })
      throw error
    }
  }

  upgrade(): Promise<UpgradeReport> {
    const detail = 'a server of several members: stop and start it, or run its members as servers of a cluster'
    return Promise.reject(new RystraError('control.unavailable', { side: 'server', detail }))
  }

  async drain({ timeout, stop = false, alternatives }: DrainOptions = {}): Promise<{ readonly streams: number }> {
    const members = this.#members()
    const streamsOf = (counts: readonly { readonly streams: number }[]): number =>
      counts.reduce((total, { streams }) => total + streams, 0)
    const before = streamsOf(members.flatMap(({ snapshot }) => snapshot?.stats ?? []))
    this.#events.emit('drain.started', { timeout: timeout ?? 0, streams: before })
    const ask = (member: Member): Promise<{ streams: number }> =>
      member.ask<'drain', { streams: number }>('drain', { timeout, alternatives }, timeout ?? 86_400_000)
    const streams = streamsOf(await Promise.all(members.map(ask)))
    this.#events.emit('drain.done', { streams })
    if (stop) this.#onStop()
    return { streams }
  }

  get logLevel(): LogLevel | undefined {
    return this.#members()[0]?.snapshot?.logLevel
  }

  setLogLevel(level: LogLevel): void {
    for (const member of this.#members()) member.ask('logLevel', { level }).catch(() => {})
    this.#events.emit('log.level', { level })
  }

  addProxy(): Promise<ProxyHandle> {
    const detail = 'a server of several members adds no proxies: add it at the client'
    return Promise.reject(new RystraError('control.unavailable', { side: 'server', detail }))
  }

  removeProxy(id: string): Promise<void> {
    return Promise.reject(new RystraError('control.not-found', { side: 'server', detail: `proxy ${id}` }))
  }
}
