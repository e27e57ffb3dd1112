import { plural } from './words.js'
import type { ExplainStep, ProxyHandle, RuntimeEvent, SessionHandle } from '@rystra/plugin'

const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')

/** What stands in the way at the proxies themselves. */
export const proxyStep = (proxies: readonly ProxyHandle[]): ExplainStep => {
  const stage = 'proxy'
  const names = proxies.map(({ info }) => info.spec.name)
  const refused = proxies.find(({ info }) => info.error !== undefined && info.state !== 'published')
  if (proxies.every(({ info }) => info.state !== 'published')) {
    const { state = 'publishing', error } = refused?.info ?? {}
    const text = `The proxy ${names[0]} is not published: ${error === undefined ? state : error.message}.`
    return { stage, outcome: 'fail', text, hint: error?.hint ?? 'wait until it is published, or see the log' }
  }
  const full = proxies.filter(({ info, stats }) => {
    const max = info.spec['maxConnections']
    return typeof max === 'number' && stats().streams >= max
  })
  if (full.length === proxies.length) {
    const text = `The proxy ${names[0]} has as many streams as its maxConnections: ${full[0]?.stats().streams}.`
    return { stage, outcome: 'fail', text, hint: 'raise maxConnections of the proxy, or wait until visitors are gone' }
  }
  if (proxies.length === 1) {
    const stats = proxies[0]?.stats()
    return {
      stage,
      outcome: 'ok',
      text: `The proxy ${names[0]} is published, ${plural(stats?.streams ?? 0, 'stream')} open.`
    }
  }
  return { stage, outcome: 'ok', text: `A group of ${proxies.length} proxies is published: ${names.join(', ')}.` }
}

/** A session of this end, or of another server of the cluster. */
export type ExplainedSession = Pick<SessionHandle, 'info'> & Partial<Pick<SessionHandle, 'stats'>>

/** The sessions behind the proxies. */
export const clientStep = (sessions: readonly ExplainedSession[]): ExplainStep => {
  const texts = sessions.map((session) => {
    const { client, identity, transport, muxer, peer, member } = session.info
    const { rtt } = session.stats?.() ?? {}
    const at = member === undefined ? '' : ` to the server ${member}`
    const trip = rtt === undefined ? '' : `, round trip ${rtt.toFixed(1)} ms`
    return `${client.id} (identity ${identity.id}) is connected${at} from ${peer.address} by ${transport} and ${muxer}${trip}`
  })
  return { stage: 'client', outcome: 'ok', text: `${texts.slice(0, 3).join('; ')}.` }
}

/** The last that is known of a proxy that would have been the one: gone with its client, or refused. */
export const awayStep = (
  events: readonly RuntimeEvent[],
  fits: (event: { spec: RuntimeEventSpec; address?: string }) => boolean,
  isUp: (session: string) => boolean
): ExplainStep | undefined => {
  for (const event of events) {
    if (event.type === 'proxy.gone' && fits(event)) return goneStep(event, isUp)
    if (
      event.type === 'refused' &&
      event.what === 'proxy' &&
      event.proxy !== undefined &&
      fits({ spec: event.proxy })
    ) {
      const by = event.session === undefined ? '' : ` of ${event.session.client.id}`
      const text = `The proxy ${event.proxy.name}${by} was refused at ${timeOf(event.time)}: ${event.error.message}.`
      return { stage: 'proxy', outcome: 'fail', text, hint: 'change what the refusal names, and reload the client' }
    }
  }
  return undefined
}

type RuntimeEventSpec = Extract<RuntimeEvent, { type: 'proxy.gone' }>['spec']

const goneStep = (
  { spec, session, reason, error, time }: Extract<RuntimeEvent, { type: 'proxy.gone' }>,
  isUp: (session: string) => boolean
): ExplainStep => {
  const client = session === undefined ? 'its client' : `the client ${session.client.id}`
  const because = error === undefined ? '' : ` (${error.message})`
  // A client that is stopped takes its proxies back first.
  if (session !== undefined && isUp(session.id)) {
    const how = reason === undefined || reason === 'asked' ? `by ${client}` : reason
    const text = `The proxy ${spec.name} of ${client} was taken back at ${timeOf(time)}: ${how}${because}.`
    return { stage: 'proxy', outcome: 'fail', text, hint: 'publish it again from the client' }
  }
  const text = `The proxy ${spec.name} went at ${timeOf(time)} with the session of ${client}${because}.`
  const hint = `start ${client} again, or see why it does not connect: \`rystra doctor\` there`
  return { stage: 'client', outcome: 'fail', text, hint }
}
