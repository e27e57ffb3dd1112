import type { RystraConfig } from '@rystra/config'
import { background, type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import {
  type AddProxyOptions,
  type DrainOptions,
  type ExtensionInfo,
  logLevels,
  type LogLevel,
  type Plan,
  type ProxyHandle,
  type ReloadOptions,
  type ReloadReport,
  type RuntimeControl,
  type UpgradeOptions,
  type UpgradeReport
} from '@rystra/plugin'
import { CodeFiles } from './code-files.js'
import type { ControlledEnd, Rehearsal } from './controlled-end.js'
import { eventError, type EventLog } from './event-log.js'
import { mergeItems, planItems } from './plan-items.js'
import { problemsOf } from './problems.js'
import { publicConfig } from './public-config.js'
import { revisionOf } from './revision.js'
import type { ControlOptions } from './source.js'
import { Upgrade } from './upgrade.js'

/** The control of one end: the same for a server and a client. */
export class EndControl implements RuntimeControl {
  readonly #end: ControlledEnd
  readonly #events: EventLog
  readonly #options: ControlOptions
  readonly #code: CodeFiles
  readonly #upgrade: Upgrade
  /** The last of the calls, which are done one at a time. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(end: ControlledEnd, events: EventLog, options: ControlOptions) {
    this.#end = end
    this.#events = events
    this.#options = options
    this.#code = new CodeFiles(end.state.kernel)
    this.#upgrade = new Upgrade(end, events, options)
    // Taken now: what changes from here on is new code.
    background(this.#code.check(), end.state.log, 'the code of extensions was not looked at')
  }

  /** The loaded extensions, with what was counted of their taps. */
  extensions(): readonly ExtensionInfo[] {
    const { changed } = this.#code
    const { extensions } = this.#end.state.kernel.inspect()
    return extensions.map((one) => (changed.has(one.name) ? { ...one, codeChanged: true } : one))
  }

  get revision(): string {
    return revisionOf(this.#end.config)
  }

  config(): object {
    const { state, config } = this.#end
    return publicConfig(config, state.kernel.current)
  }

  plan(config?: object): Promise<Plan> {
    return this.#queue(async () => {
      const codeChanged = await this.#code.check()
      const revision = this.revision
      const none = { revision, items: [], streams: 0, sessions: 0, same: false, codeChanged }
      let rehearsal: Rehearsal
      try {
        rehearsal = await this.#end.rehearse(await this.#wanted(config))
      } catch (error) {
        if (toRystraError(error).code === 'control.unavailable') throw error
        return { ...none, problems: problemsOf(error) }
      }
      const items = mergeItems(planItems(this.#end.config, rehearsal.config), rehearsal.touched)
      const sum = (of: 'streams' | 'sessions'): number => items.reduce((total, item) => total + (item[of] ?? 0), 0)
      const same = items.every(({ action }) => action === 'keep')
      return { ...none, items, streams: sum('streams'), sessions: sum('sessions'), same, problems: [] }
    })
  }

  reload(config?: object, { revision }: ReloadOptions = {}): Promise<ReloadReport> {
    return this.#queue(async () => {
      const {
        state: { clock },
        side
      } = this.#end
      const begun = clock.now()
      if (revision !== undefined && revision !== this.revision) {
        throw new RystraError('control.conflict', { side, detail: `revision ${this.revision} is in force` })
      }
      try {
        const before = this.#end.config
        const context = await this.#end.apply(await this.#wanted(config))
        const after = this.#end.config
        const items = planItems(before, after).filter(({ action }) => action !== 'keep')
        if (before.log.level !== after.log.level) this.#follow(after.log.level)
        const codeChanged = await this.#code.check()
        const duration = clock.now() - begun
        const report = { ...context, revision: this.revision, items, codeChanged, duration }
        this.#events.emit('reload.done', { report })
        return report
      } catch (error) {
        this.#events.emit('reload.failed', { error: eventError(toRystraError(error)) })
        throw error
      }
    })
  }

  async upgrade(options: UpgradeOptions = {}): Promise<UpgradeReport> {
    const release = this.#upgrade.begin()
    try {
      const report = await this.#queue(() => this.#upgrade.run(options))
      const drain = { stop: true, ...(this.#end.side === 'server' ? { alternatives: [] } : {}) }
      this.drain(drain).catch((err: unknown) => this.#end.state.log.error({ err }, 'the drain after an upgrade failed'))
      return report
    } finally {
      release()
    }
  }

  async #wanted(config: object | undefined): Promise<RystraConfig> {
    this.#upgrade.throwIfReplaced()
    if (config !== undefined) return config as RystraConfig
    const { source } = this.#options
    if (source !== undefined) return source.read()
    const detail = 'expected a configuration: this process was made without a source of one'
    throw new RystraError('control.unavailable', { side: this.#end.side, detail })
  }

  async drain(options: DrainOptions = {}): Promise<{ streams: number }> {
    const { timeout = this.#end.drainTime, stop = false, alternatives } = options
    const { side } = this.#end
    if (alternatives !== undefined && side === 'client')
      throw new RystraError('control.unavailable', { side, detail: 'alternatives are of a server' })
    this.#events.emit('drain.started', { timeout, streams: this.#end.streams })
    await this.#end.drain(timeout, alternatives)
    const { streams } = this.#end
    this.#events.emit('drain.done', { streams })
    if (stop) (this.#options.onStop ?? (() => this.#stop()))()
    return { streams }
  }

  #stop(): void {
    const { log } = this.#end.state
    this.#end.stop().catch((error: unknown) => log.error({ err: error }, 'the stop after a drain failed'))
  }

  get logLevel(): LogLevel | undefined {
    return this.#options.logLevel?.level
  }

  setLogLevel(level: LogLevel): void {
    const { side } = this.#end
    if (!logLevels.includes(level)) {
      const detail = `log level ${JSON.stringify(level)}: expected one of ${logLevels.join(', ')}`
      throw new RystraError('usage.invalid', { side, detail })
    }
    if (this.#options.logLevel === undefined) {
      const detail = 'the program that embeds it keeps the level of its log'
      throw new RystraError('control.unavailable', { side, detail })
    }
    this.#follow(level)
  }

  #follow(level: LogLevel): void {
    if (this.#options.logLevel === undefined || this.#options.logLevel.level === level) return
    this.#options.logLevel.level = level
    this.#events.emit('log.level', { level })
  }

  addProxy(spec: ProxySpec, session?: string, options: AddProxyOptions = {}): Promise<ProxyHandle> {
    return this.#end.addProxy(spec, session, options)
  }

  removeProxy(id: string): Promise<void> {
    return this.#end.removeProxy(id)
  }

  #queue<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}
