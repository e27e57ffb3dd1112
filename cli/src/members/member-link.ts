import { fromWireError, toRystraError, toWireError } from '@rystra/model'
import type { Metrics, Runtime, RuntimeEvent } from '@rystra/plugin'
import type { FromMember, FromParent, Snapshot, ToMember } from './messages.js'

/** Streams in one answer: more are counted, not listed. */
const MAX_STREAMS = 10_000

/** Events of streams that wait to be read by the parent: beyond that they are counted, so that memory stays bounded. */
const MAX_UNREAD_STREAMS = 1000

/** How a member speaks with its parent: `process`, or a pair in a test. */
export interface MemberPort {
  /** @param sent Called when the message is on its way, or lost with the parent */
  send(message: FromMember, sent?: () => void): void
  onMessage(listener: (message: FromParent) => void): void
}

/** What a parent sees of a member. */
export interface Linked {
  readonly runtime: Runtime
  readonly metrics: Pick<Metrics, 'snapshot'>
  /** Ends the process after its streams are over. */
  stop(drain: number | undefined): Promise<void>
}

/** Answers what the parent asks for, and sends it what happens here. */
export const linkMember = (port: MemberPort, linked: Linked): void => {
  const events = passEvents(port, linked.runtime)
  port.onMessage((message) => {
    if (!('ask' in message)) return
    if (message.ask === 'streams') events.subscribe(message.args.wanted)
    answer(message, linked).then(
      (found) => port.send({ id: message.id, answer: found }),
      (error: unknown) => port.send({ id: message.id, error: toWireError(toRystraError(error)) })
    )
  })
}

/** Sends events to the parent: those of streams only while it wants them, and no more than it reads. */
const passEvents = (port: MemberPort, runtime: Runtime): { subscribe(streams: boolean): void } => {
  let [unread, lost] = [0, 0]
  const pass = (event: RuntimeEvent): void => {
    if (event.type !== 'stream.opened' && event.type !== 'stream.closed') {
      port.send({ event })
      return
    }
    if (unread >= MAX_UNREAD_STREAMS) {
      lost += 1
      return
    }
    unread += 1
    port.send(lost === 0 ? { event } : { event, lost }, () => {
      unread -= 1
    })
    lost = 0
  }
  let unsubscribe = runtime.events.subscribe(pass)
  return {
    subscribe: (streams) => {
      unsubscribe()
      unsubscribe = runtime.events.subscribe(pass, { streams })
    }
  }
}

const answer = async ({ ask, args }: ToMember, { runtime, metrics, stop }: Linked): Promise<unknown> => {
  const { control } = runtime
  switch (ask) {
    case 'snapshot':
      return snapshotOf(runtime, metrics)
    case 'plan':
      return control.plan(args.config)
    case 'reload':
      return control.reload(args.config, args.revision === undefined ? {} : { revision: args.revision })
    case 'drain':
      return control.drain({
        ...(args.timeout === undefined ? {} : { timeout: args.timeout }),
        ...(args.alternatives === undefined ? {} : { alternatives: args.alternatives })
      })
    case 'upgrade':
      return control.upgrade(args.timeout === undefined ? {} : { timeout: args.timeout })
    case 'logLevel':
      return control.setLogLevel(args.level)
    case 'explain':
      return runtime.explain(args.target)
    case 'addProxy':
      return (await control.addProxy(args.spec, args.session, args.by === undefined ? {} : { by: args.by })).id
    case 'removeProxy':
      return control.removeProxy(args.id)
    case 'end':
      runtime[args.what](args.id)?.close(args.error === undefined ? undefined : fromWireError(args.error, 'server'))
      return undefined
    case 'streams':
      return undefined
    case 'stop':
      return stop(args.drain)
  }
}

const snapshotOf = (runtime: Runtime, metrics: Linked['metrics']): Snapshot => {
  const { control } = runtime
  const streams: Snapshot['streams'][number][] = []
  for (const { id, info, stats } of withStats(runtime.streams())) {
    if (streams.length >= MAX_STREAMS) break
    streams.push({ id, info, stats })
  }
  return {
    sessions: [...withStats(runtime.sessions())].map(({ info, stats }) => ({ info, stats })),
    proxies: [...withStats(runtime.proxies())].map(({ id, info: { error, ...info }, stats }) => ({
      id,
      info: { ...info, ...(error === undefined ? {} : { error: toWireError(error) }) },
      stats
    })),
    streams,
    listeners: [...withStats(runtime.listeners())],
    extensions: [...runtime.extensions()],
    certificates: [...runtime.certificates()],
    stats: runtime.stats(),
    metrics: metrics.snapshot(),
    revision: control.revision,
    config: control.config(),
    logLevel: control.logLevel
  }
}

function* withStats<Info, Stats>(
  handles: Iterable<{ readonly id: string; readonly info: Info; stats(): Stats }>
): Iterable<{ id: string; info: Info; stats: Stats }> {
  for (const handle of handles) yield { id: handle.id, info: handle.info, stats: handle.stats() }
}
