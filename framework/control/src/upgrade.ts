import { RystraError, toRystraError } from '@rystra/model'
import type { UpgradeOptions, UpgradeReport } from '@rystra/plugin'
import type { ControlledEnd } from './controlled-end.js'
import { eventError, type EventLog } from './event-log.js'
import type { ControlOptions } from './source.js'

/** Time for a process to load and start everything, on a slow machine too. */
export const UPGRADE_TIMEOUT_MS = 60_000

/** Replaces the process of an end by another one, which gets its listening sockets. */
export class Upgrade {
  readonly #end: ControlledEnd
  readonly #events: EventLog
  readonly #options: ControlOptions
  #underWay = false
  /** The process that has taken over. */
  #replacedBy: number | undefined

  constructor(end: ControlledEnd, events: EventLog, options: ControlOptions) {
    this.#end = end
    this.#events = events
    this.#options = options
  }

  /** One at a time: throws `control.busy`. The returned function ends its turn. */
  begin(): () => void {
    this.throwIfReplaced()
    const { side } = this.#end
    if (this.#underWay) throw new RystraError('control.busy', { side, detail: 'an upgrade' })
    this.#underWay = true
    return () => {
      this.#underWay = false
    }
  }

  /** Throws `control.unavailable` when another process has taken over. */
  throwIfReplaced(): void {
    if (this.#replacedBy === undefined) return
    const detail = `process ${this.#replacedBy} has taken over, and this one ends`
    throw new RystraError('control.unavailable', { side: this.#end.side, detail })
  }

  async run({ timeout = UPGRADE_TIMEOUT_MS }: UpgradeOptions): Promise<UpgradeReport> {
    const { side } = this.#end
    const { successor } = this.#options
    if (successor === undefined) {
      const detail = 'the program that embeds it starts its processes by itself'
      throw new RystraError('control.unavailable', { side, detail })
    }
    const { chosen, rebound, done } = await this.#end.handOver()
    try {
      const next = await successor.start({ timeout, chosen })
      await next.take()
      this.#replacedBy = next.pid
      // After its answer: what is published meanwhile is known there as well.
      next.left(done())
      const report = { pid: next.pid, sockets: next.sockets, rebound }
      this.#events.emit('upgrade.done', { report })
      return report
    } catch (cause) {
      const error = toRystraError(cause, 'control.upgrade-failed', { side })
      this.#events.emit('upgrade.failed', { error: eventError(error) })
      throw error
    }
  }
}
