import { fromWireError, toRystraError, toWireError } from '@rystra/model'
import type { Runtime } from '@rystra/plugin'
import type { FromMember, Snapshot, ToMember } from './messages.js'

/** Streams in one answer: more are counted, not listed. */
const MAX_STREAMS = 10_000

/** How a member speaks with its parent: `process`, or a pair in a test. */
export interface MemberPort {
  send(message: FromMember): void
  onMessage(listener: (message: ToMember) => void): void
}

/** Answers what the parent asks for, and tells what happens here. */
export const linkMember = (
  port: MemberPort,
  runtime: Runtime,
  stop: (drain: number | undefined) => Promise<void>
): void => {
  runtime.events.subscribe((event) => port.send({ event }))
  port.onMessage((message) => {
    answer(message, runtime, stop).then(
      (found) => port.send({ id: message.id, answer: found }),
      (error: unknown) => port.send({ id: message.id, error: toWireError(toRystraError(error)) })
    )
  })
}

const answer = async (
  { ask, args }: ToMember,
  runtime: Runtime,
  stop: (drain: number | undefined) => Promise<void>
): Promise<unknown> => {
  const { control } = runtime
  switch (ask) {
    case 'snapshot':
      return snapshotOf(runtime)
    case 'plan':
      return control.plan(args.config)
    case 'reload':
      return control.reload(args.config, args.revision === undefined ? {} : { revision: args.revision })
    case 'drain':
      return control.drain({
        ...(args.timeout === undefined ? {} : { timeout: args.timeout }),
        ...(args.alternatives === undefined ? {} : { alternatives: args.alternatives })
      })
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
    case 'stop':
      return stop(args.drain)
  }
}

const snapshotOf = (runtime: Runtime): Snapshot => {
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
