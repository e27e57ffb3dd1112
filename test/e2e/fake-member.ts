import { EventEmitter } from 'node:events'
import { silentLog } from '@rystra/model'
import type { Runtime } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import type { MemberProcess } from '../../cli/src/members/member.js'
import { type Linked, linkMember } from '../../cli/src/members/member-link.js'
import type { FromMember, FromParent, ToMember } from '../../cli/src/members/messages.js'
import type { ReceivedHandle } from '../../cli/src/members/handed-sockets.js'

/** A member within this process: what is sent is cloned, as between processes. */
export class FakeMember implements MemberProcess {
  readonly pid = 4711
  readonly wire = new EventEmitter()
  readonly received: ToMember[] = []
  /** All but requests. */
  readonly steps: FromParent[] = []
  killed = false
  /** Whether the parent reads nothing. */
  stalled = false
  #exited = false

  send(message: FromParent): void {
    if ('ask' in message) this.received.push(message)
    else this.steps.push(message)
    const copy = structuredClone(message)
    setImmediate(() => this.wire.emit('toMember', copy))
  }

  onMessage(listener: (message: FromMember, handle?: ReceivedHandle) => void): void {
    this.wire.on('fromMember', listener)
  }

  onExit(listener: (code: number | null) => void): void {
    this.wire.once('exit', listener)
  }

  kill(): void {
    this.killed = true
    this.exit(null)
  }

  exit(code: number | null): void {
    if (this.#exited) return
    this.#exited = true
    this.wire.emit('exit', code)
  }

  say(message: FromMember, handle?: ReceivedHandle): void {
    const copy = structuredClone(message)
    setImmediate(() => this.wire.emit('fromMember', copy, handle))
  }

  /** Runs something, and is ready. */
  run(runtime: Runtime, metrics: Linked['metrics'] = { snapshot: () => [] }): this {
    const port = {
      send: (message: FromMember, sent: () => void = () => {}) => {
        this.say(message)
        if (!this.stalled) setImmediate(sent)
      },
      onMessage: (listener: (message: FromParent) => void) => void this.wire.on('toMember', listener)
    }
    const stop = async (): Promise<void> => void setImmediate(() => this.exit(0))
    linkMember(port, { runtime, metrics, stop })
    this.say({ ready: { listening: [] } })
    return this
  }

  /** Says that it is ready, answers nothing but the end. */
  idle(): this {
    this.wire.on('toMember', ({ id, ask }: ToMember) => {
      if (ask === 'stop') this.exit(0)
      else this.say({ id, error: { code: 'control.unavailable' } })
    })
    this.say({ ready: { listening: [] } })
    return this
  }
}

/** Of `Members` whose processes are made by `start`. */
export const options = (start: (name: string, index: number) => MemberProcess, clock = new FakeClock(), count = 2) => ({
  count,
  start,
  clock,
  log: silentLog,
  dir: '.',
  uses: [],
  drain: 1000,
  onStop: () => {}
})
