import { EventLog } from '@rystra/control'
import { Kernel, type KernelUse } from '@rystra/kernel'
import { background, type Logger, RystraError } from '@rystra/model'
import { SharedPorts } from '@rystra/net'
import type { Clock, RuntimeEvent } from '@rystra/plugin'
import { Backoff } from '@rystra/session'
import { Member, type MemberProcess } from './member.js'
import { MembersControl } from './members-control.js'
import { MembersMetrics } from './members-metrics.js'
import { MembersRuntime } from './members-runtime.js'
import type { Ready } from './messages.js'
import type { HandedSockets } from './handed-sockets.js'
import { Replacement } from './replacement.js'

/** A member that ran so long was well: the next restart is at once again. */
const SETTLED_MS = 10_000
/** Between two looks at what runs on the members. */
const REFRESH_MS = 1000
/** Longer where it takes long, so that it costs no more than a twentieth. */
const REFRESH_FACTOR = 20
/** What a member has after its drain time to end by itself. */
const EXIT_TIMEOUT_MS = 5000

/** How {@link Members} are made. */
export interface MembersOptions {
  readonly count: number
  /** `handed` are sockets of the process that it takes over from. */
  readonly start: (name: string, index: number, handed?: HandedSockets) => MemberProcess
  readonly clock: Clock
  readonly log: Logger
  readonly dir: string
  readonly stateDir?: string | undefined
  /** For the parent: admin API and metrics. */
  readonly uses: readonly KernelUse[]
  /** `server.drain` of the configuration, in milliseconds. */
  readonly drain: number
  readonly onStop: () => void
}

/** Several server processes that are seen as one: started again when they end, changed and stopped together. */
export class Members {
  readonly kernel: Kernel
  readonly runtime: MembersRuntime
  readonly #options: MembersOptions
  readonly #members: (Member | undefined)[]
  readonly #events: EventLog
  #stopping = false
  #cancelRefresh: (() => void) | undefined
  /** Of members that wait for their restart. */
  readonly #restarts = new Map<number, () => void>()
  #whenGone: (() => void) | undefined
  /** Replaced by other processes; they have streams yet. */
  readonly #replaced = new Set<Member>()

  constructor(options: MembersOptions) {
    const { count, clock, log, dir, stateDir, onStop } = options
    this.#options = options
    this.#members = Array.from({ length: count }, () => undefined)
    this.#events = new EventLog(clock, log)
    this.#events.onStreams = (wanted) => {
      for (const member of running()) this.#wantStreams(member, wanted)
    }
    const running = (): readonly Member[] => this.#members.filter((one): one is Member => one?.up === true)
    const control = new MembersControl(running, this.#events, onStop, (id) => this.runtime.proxy(id))
    this.runtime = new MembersRuntime(running, this.#events, control, clock.now())
    const where = { dir, ...(stateDir === undefined ? {} : { stateDir }) }
    this.kernel = new Kernel({
      side: 'server',
      ports: new SharedPorts({ log }),
      runtime: this.runtime,
      metrics: new MembersMetrics(running),
      log,
      clock,
      ...where
    })
  }

  /** Where each member listens, in their order. */
  get serving(): readonly Ready[] {
    return this.#members.flatMap((member) => member?.serves ?? [])
  }

  get streams(): number {
    return this.runtime.stats().streams
  }

  /** Starts one after the other. Rejects with what the first that fails says; none is left running then. */
  async start(): Promise<void> {
    await this.kernel.provision([...this.#options.uses])
    await this.kernel.start()
    try {
      for (const index of this.#members.keys()) await this.#run(index, new Backoff()).ready
    } catch (error) {
      await this.stop({ drain: 0 })
      throw error
    }
    await this.#refresh()
  }

  #run(index: number, backoff: Backoff): Member {
    const member = this.#make(index, backoff)
    this.#members[index] = member
    return member
  }

  #make(index: number, backoff: Backoff, handed?: HandedSockets): Member {
    const { clock, log, start } = this.#options
    const name = String(index + 1)
    const begun = clock.now()
    const replacement = (): Replacement =>
      new Replacement(member, {
        clock,
        start: (sockets) => this.#make(index, backoff, sockets),
        onTaken: (next) => {
          if (this.#members[index] !== member) return
          this.#members[index] = next
          this.#replaced.add(member)
        }
      })
    let change: Replacement | undefined
    const member: Member = new Member(name, start(name, index, handed), clock, {
      onEvent: (_, event, lost) => this.#event(name, event, lost),
      onSuccessor: (_, message, handle) => {
        change ??= replacement()
        background(change.step(message, handle), log, 'a member was not replaced')
      },
      onExit: (_, code) => {
        change?.end()
        this.runtime.keepCounts(member)
        this.#replaced.delete(member)
        if (this.#members[index] !== member) {
          this.#whenGone?.()
          return
        }
        const wasUp = clock.now() - begun >= SETTLED_MS
        this.#members[index] = undefined
        if (this.#stopping || !this.#started(index)) {
          this.#whenGone?.()
          return
        }
        if (wasUp) backoff.reset()
        const delay = backoff.next()
        log.error({ member: name, code, delay }, 'a member has ended; starting it again')
        this.#restarts.set(
          index,
          clock.after(delay, () => {
            this.#restarts.delete(index)
            this.#run(index, backoff)
          })
        )
      }
    })
    member.ready.then(
      () => {
        this.#everUp.add(index)
        log.info({ member: name }, 'member up')
        if (this.#events.wantsStreams) this.#wantStreams(member, true)
        return member.refresh()
      },
      () => {}
    )
    return member
  }

  readonly #everUp = new Set<number>()

  /** One that never was up is not started again: its mistake would be the same. */
  #started(index: number): boolean {
    return this.#everUp.has(index)
  }

  #wantStreams(member: Member, wanted: boolean): void {
    background(member.ask('streams', { wanted }), this.#options.log, 'a member was not asked for events of streams')
  }

  #event(member: string, event: RuntimeEvent, lost: number): void {
    if (lost > 0)
      this.#options.log.warn({ member, lost }, 'events of streams of a member were too many to be passed on')
    // The parent tells of these once for all.
    if (/^(reload|drain|log|upgrade)\./.test(event.type)) return
    this.#events.pass(namedEvent(event, member))
  }

  async #refresh(): Promise<void> {
    const { clock, log } = this.#options
    const begun = performance.now()
    await Promise.all(this.#members.map((member) => (member?.up === true ? member.refresh() : undefined)))
    const took = performance.now() - begun
    if (this.#stopping) return
    this.#cancelRefresh = clock.after(Math.max(REFRESH_MS, took * REFRESH_FACTOR), () =>
      background(this.#refresh(), log, 'the state of the members was not read')
    )
  }

  /** Has all finish their streams, and ends them. */
  async stop({ drain = this.#options.drain }: { drain?: number } = {}): Promise<void> {
    const { clock } = this.#options
    this.#stopping = true
    this.#cancelRefresh?.()
    for (const cancel of this.#restarts.values()) cancel()
    const all = (): (Member | undefined)[] => [...this.#members, ...this.#replaced]
    for (const member of all()) member?.ask('stop', { drain }, drain).catch(() => {})
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (all().some((member) => member !== undefined)) return
        cancel()
        resolve()
      }
      const cancel = clock.after(drain + EXIT_TIMEOUT_MS, () => {
        for (const member of all()) member?.kill()
      })
      this.#whenGone = check
      check()
    })
    await this.kernel.stop()
  }
}

/** With the name of the member, and in the session that it is about. */
const namedEvent = (event: RuntimeEvent, member: string): RuntimeEvent => {
  const { session, stream } = event as { session?: object; stream?: { session: object } }
  return {
    ...event,
    member,
    ...(session === undefined ? {} : { session: { ...session, member } }),
    ...(stream === undefined ? {} : { stream: { ...stream, session: { ...stream.session, member } } })
  } as RuntimeEvent
}

/** Throws `usage.invalid` for a number that makes no sense. */
export const checkCount = (count: number): void => {
  if (Number.isInteger(count) && count >= 2 && count <= 64) return
  throw new RystraError('usage.invalid', { detail: `--members: expected a number from 2 to 64, got ${count}` })
}
