import { eventError, type EventLog, UPGRADE_TIMEOUT_MS } from '@rystra/control'
import { type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import type {
  AddProxyOptions,
  DrainOptions,
  LogLevel,
  Plan,
  ProxyHandle,
  ReloadOptions,
  ReloadReport,
  RuntimeControl,
  UpgradeOptions,
  UpgradeReport
} from '@rystra/plugin'
import type { Member } from './member.js'

/** Changes all members, with one answer. */
export class MembersControl implements RuntimeControl {
  readonly #members: () => readonly Member[]
  readonly #events: EventLog
  readonly #onStop: () => void
  readonly #find: (id: string) => ProxyHandle | undefined
  #turn: Promise<unknown> = Promise.resolve()

  /**
   * @param members Those that run
   * @param find The proxy of an id, as it was when the members were asked last
   */
  constructor(
    members: () => readonly Member[],
    events: EventLog,
    onStop: () => void,
    find: (id: string) => ProxyHandle | undefined
  ) {
    this.#members = members
    this.#events = events
    this.#onStop = onStop
    this.#find = find
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

  /** One member after the other. Those before one that fails have been replaced. */
  upgrade(options: UpgradeOptions = {}): Promise<UpgradeReport> {
    const done = this.#turn.then(() => this.#upgrade(options))
    this.#turn = done.catch(() => {})
    return done
  }

  async #upgrade({ timeout = UPGRADE_TIMEOUT_MS }: UpgradeOptions): Promise<UpgradeReport> {
    const reports: (UpgradeReport & { readonly member: string })[] = []
    for (const { name } of [this.#first, ...this.#members().slice(1)]) {
      // One that has ended meanwhile is started again with the code that is there now.
      const member = this.#members().find((one) => one.name === name)
      if (member === undefined) continue
      const one = await member
        .ask<'upgrade', UpgradeReport>('upgrade', { timeout }, timeout)
        .catch((cause: unknown) => {
          const { code, detail } = toRystraError(cause)
          const before =
            reports.length === 0 ? '' : `; replaced before it: ${reports.map((done) => done.member).join(', ')}`
          throw new RystraError(code, { side: 'server', detail: `member ${name}: ${detail}${before}`, cause })
        })
      reports.push({ ...one, member: name })
    }
    await this.#refresh()
    return {
      pid: process.pid,
      sockets: reports.reduce((sum, { sockets }) => sum + sockets, 0),
      rebound: reports.flatMap(({ rebound }) => rebound),
      members: reports.map(({ member, pid }) => ({ member, pid }))
    }
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

  /** At the member that has the session of the client. */
  async addProxy(spec: ProxySpec, session = '', { persist = false, by }: AddProxyOptions = {}): Promise<ProxyHandle> {
    if (persist) {
      const detail =
        'a client of a server of several members may come back to another one: add it without `persist`, or at the client'
      throw new RystraError('control.unavailable', { side: 'server', detail })
    }
    await this.#refresh()
    const { member, id } = this.#memberOf(session)
    const added = await member.ask<'addProxy', string>('addProxy', { spec, session: id, by })
    await member.refresh()
    const handle = this.#find(added)
    if (handle === undefined) throw new RystraError('session.lost', { side: 'client', detail: spec.name })
    return handle
  }

  /** What is known of them is up to a second old otherwise. */
  async #refresh(): Promise<void> {
    await Promise.all(this.#members().map((member) => member.refresh()))
  }

  /** By the id of the session, or by that of its client where one client has that. */
  #memberOf(session: string): { readonly member: Member; readonly id: string } {
    const found = this.#members().flatMap((member) =>
      (member.snapshot?.sessions ?? []).flatMap(({ info }) =>
        info.id === session || info.client.id === session ? { member, info } : []
      )
    )
    const several = new Set(found.map(({ info }) => info.identity.id)).size > 1
    const last = found.at(-1)
    if (last !== undefined && !several) return { member: last.member, id: last.info.id }
    const ambiguous = several ? ': clients of several identities have this id, name the session' : ''
    const detail = `client ${session === '' ? '(not named)' : session}${ambiguous}`
    throw new RystraError('control.not-found', { side: 'server', detail })
  }

  async removeProxy(id: string): Promise<void> {
    await this.#refresh()
    const member = this.#members().find(({ snapshot }) => snapshot?.proxies.some((one) => one.id === id))
    if (member === undefined) throw new RystraError('control.not-found', { side: 'server', detail: `proxy ${id}` })
    await member.ask<'removeProxy', undefined>('removeProxy', { id })
    await member.refresh()
  }
}
