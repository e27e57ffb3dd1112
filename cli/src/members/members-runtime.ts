import { type RystraError, fromWireError, type SessionInfo, toWireError } from '@rystra/model'
import type { EventLog } from '@rystra/control'
import type {
  CertificateInfo,
  EndStats,
  ExplainOptions,
  Explanation,
  ExtensionInfo,
  ListenerHandle,
  ProxyHandle,
  Runtime,
  RuntimeControl,
  SessionHandle,
  StreamHandle,
  TrafficStats
} from '@rystra/plugin'
import type { Member } from './member.js'
import type { Snapshot } from './messages.js'

type Has<Field extends 'sessions' | 'proxies' | 'streams' | 'listeners'> = readonly [Member, Snapshot[Field][number]]

/** What runs on all members, as it was when they were asked last. */
export class MembersRuntime implements Runtime {
  readonly side = 'server'
  readonly events: EventLog
  readonly control: RuntimeControl
  readonly #members: () => readonly Member[]
  readonly #since: number
  /** What members that have ended had counted. */
  #ended: TrafficStats = sumStats([])
  #endedSessions = 0

  /** @param members Those that run */
  constructor(members: () => readonly Member[], events: EventLog, control: RuntimeControl, since: number) {
    this.#members = members
    this.events = events
    this.control = control
    this.#since = since
  }

  *#of<Field extends 'sessions' | 'proxies' | 'streams' | 'listeners'>(field: Field): Iterable<Has<Field>> {
    for (const member of this.#members())
      for (const one of member.snapshot?.[field] ?? []) yield [member, one as Snapshot[Field][number]]
  }

  *sessions(): Iterable<SessionHandle> {
    for (const [member, { info, stats }] of this.#of('sessions')) {
      const close = this.#closer(member, 'session', info.id)
      yield { id: info.id, info: named(info, member), stats: () => stats, close }
    }
  }

  *proxies(): Iterable<ProxyHandle> {
    for (const [member, { id, info, stats }] of this.#of('proxies')) {
      const { error, session, ...rest } = info
      yield {
        id,
        info: {
          ...rest,
          ...(session === undefined ? {} : { session: named(session, member) }),
          ...(error === undefined ? {} : { error: fromWireError(error, 'server') })
        },
        stats: () => stats,
        close: this.#closer(member, 'proxy', id)
      }
    }
  }

  *streams(): Iterable<StreamHandle> {
    for (const [member, { id, info, stats }] of this.#of('streams')) {
      const session = named(info.session, member)
      yield { id, info: { ...info, session }, stats: () => stats, close: this.#closer(member, 'stream', id) }
    }
  }

  *listeners(): Iterable<ListenerHandle> {
    for (const [, { id, info, stats }] of this.#of('listeners')) yield { id, info, stats: () => stats }
  }

  /** The same on all. */
  extensions(): Iterable<ExtensionInfo> {
    return this.#members().find(({ snapshot }) => snapshot !== undefined)?.snapshot?.extensions ?? []
  }

  /** The same on all, since they share the state folder. */
  certificates(): Iterable<CertificateInfo> {
    return this.#members().find(({ snapshot }) => snapshot !== undefined)?.snapshot?.certificates ?? []
  }

  #closer(member: Member, what: 'session' | 'proxy' | 'stream', id: string): (error?: RystraError) => void {
    return (error) => {
      const args = { what, id, ...(error === undefined ? {} : { error: toWireError(error) }) }
      member.ask('end', args).catch(() => {})
    }
  }

  session(id: string): SessionHandle | undefined {
    return find(this.sessions(), id)
  }

  proxy(id: string): ProxyHandle | undefined {
    return find(this.proxies(), id)
  }

  stream(id: string): StreamHandle | undefined {
    return find(this.streams(), id)
  }

  /** Of a member that has ended: totals must not go back. */
  keepCounts({ snapshot }: Member): void {
    if (snapshot === undefined) return
    const { sessionsOpened, ...stats } = snapshot.stats
    this.#ended = sumStats([this.#ended, { ...stats, streams: 0, carriers: 0 }])
    this.#endedSessions += sessionsOpened
  }

  stats(): EndStats {
    const all = this.#members().flatMap(({ snapshot }) => snapshot?.stats ?? [])
    const sum = (field: 'sessions' | 'sessionsOpened' | 'proxies'): number =>
      all.reduce((total, one) => total + one[field], 0)
    return {
      ...sumStats([this.#ended, ...all]),
      since: this.#since,
      sessions: sum('sessions'),
      sessionsOpened: this.#endedSessions + sum('sessionsOpened'),
      proxies: sum('proxies'),
      generation: Math.max(0, ...all.map(({ generation }) => generation))
    }
  }

  /** The answer of the member that serves the visitor, or of the first. */
  async explain(target: string, _options: ExplainOptions = {}): Promise<Explanation> {
    const answers = await Promise.all(
      this.#members().map((member) => member.ask<'explain', Explanation>('explain', { target }))
    )
    const serves = ({ steps }: Explanation): boolean => steps.every(({ outcome }) => outcome !== 'fail')
    return (answers.find(serves) ?? answers[0]) as Explanation
  }
}

const named = (info: SessionInfo, { name }: Member): SessionInfo => ({ ...info, member: name })

const find = <Handle extends { readonly id: string }>(handles: Iterable<Handle>, id: string): Handle | undefined => {
  for (const handle of handles) if (handle.id === id) return handle
  return undefined
}

/** The sum over all members; of the last connect time, that of the last member that has one. */
const sumStats = (all: readonly TrafficStats[]): TrafficStats => {
  const sum = (of: (one: TrafficStats) => number): number => all.reduce((total, one) => total + of(one), 0)
  const refused: Record<string, number> = {}
  for (const one of all) for (const [code, n] of Object.entries(one.refused)) refused[code] = (refused[code] ?? 0) + n
  return {
    bytesToService: sum((one) => one.bytesToService),
    bytesToVisitor: sum((one) => one.bytesToVisitor),
    streams: sum((one) => one.streams),
    opened: sum((one) => one.opened),
    carriers: sum((one) => one.carriers),
    connectTimes: {
      count: sum((one) => one.connectTimes.count),
      sum: sum((one) => one.connectTimes.sum),
      last: all.findLast((one) => one.connectTimes.count > 0)?.connectTimes.last ?? 0
    },
    refused
  }
}
