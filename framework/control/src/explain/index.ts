import { plainAddress } from '@rystra/address'
import { RystraError, toRystraError } from '@rystra/model'
import type {
  ExplainOptions,
  ExplainStep,
  Explanation,
  ProxyHandle,
  ProxyKind,
  ProxySpec,
  Registries,
  Runtime,
  StreamInfo,
  VisitTarget
} from '@rystra/plugin'
import { isIP } from 'node:net'
import { newestFirst, refusalsOf } from './history.js'
import { addressFits, byId, specFits } from './matches.js'
import { awayStep, clientStep, type ExplainedSession, proxyStep } from './proxies.js'
import { landingOf } from './routes.js'
import { explainTaps, tapsStep } from './taps.js'
import { parseTarget } from './target.js'

/** What an end is asked with. */
export interface ExplainParts {
  readonly runtime: Runtime
  readonly registries: Registries
  /** Connects to the service of a proxy, and closes at once. Rejects with what is in the way. */
  probe(proxy: ProxyHandle, visit: StreamInfo): Promise<void>
}

/** Why a visitor is served, or is not. Rejects with `usage.invalid`. */
export const explainVisit = async (
  text: string,
  { from, probe = false }: ExplainOptions,
  parts: ExplainParts
): Promise<Explanation> => {
  const { runtime, registries } = parts
  const target = parseTarget(text)
  if (from !== undefined && isIP(from) === 0) {
    const detail = `from: expected an IP address, got ${JSON.stringify(from.slice(0, 80))}`
    throw new RystraError('usage.invalid', { detail })
  }
  const events = newestFirst(runtime.events)
  const found = runtime.side === 'server' ? landingOf(target, runtime, registries.proxies) : ownOf(target, parts)
  const steps: ExplainStep[] = [...found.steps]
  const proxies = [...found.proxies].sort(byId)
  const base = { side: runtime.side, target, taps: [], refusals: [] }
  const shown = proxies.map(({ id, info: { spec } }) => ({ id, name: spec.name, kind: spec.kind }))
  const [first] = proxies
  if (first === undefined) {
    const fits = (one: { spec: ProxySpec; address?: string }): boolean =>
      specFits(one.spec, one.address, target, registries.proxies)
    const away = awayStep(events, fits, (id) => runtime.session(id) !== undefined)
    if (away !== undefined) steps.push(away)
    return { ...base, reaches: false, steps, proxies: shown }
  }
  steps.push(proxyStep(proxies))
  const sessions = sessionsOf(proxies, runtime)
  const [session] = sessions
  if (session === undefined) steps.push(noSession(events))
  else steps.push(clientStep(sessions))
  const visit = session === undefined ? undefined : visitOf(first, session, target, from)
  const checked = from === undefined ? undefined : visit
  const speaksHttp = kindOf(first, registries)?.exposed?.by === 'requests'
  const taps = explainTaps(
    runtime.extensions(),
    checked,
    registries.visitChecks,
    speaksHttp && runtime.side === 'server'
  )
  steps.push(tapsStep(taps, from), await serviceStep(proxies, visit, probe, parts))
  const refusals = refusalsOf(events, new Set(proxies.map(({ id }) => id)))
  return { ...base, reaches: steps.every(({ outcome }) => outcome !== 'fail'), steps, proxies: shown, taps, refusals }
}

/** On a client: its own proxies alone are known. */
const ownOf = (target: VisitTarget, { runtime, registries }: ExplainParts) => {
  const proxies = [...runtime.proxies()].filter(({ info: { spec, address } }) =>
    address === undefined ? specFits(spec, address, target, registries.proxies) : addressFits(address, target)
  )
  const [first] = proxies
  const addresses = [...runtime.proxies()].flatMap(({ info: { address } }) => address ?? [])
  const step: ExplainStep =
    first === undefined
      ? {
          stage: 'route',
          outcome: 'fail',
          text: 'No proxy of this client is published there.',
          hint: addresses.length === 0 ? 'no proxy is published' : `published are ${addresses.slice(0, 5).join(', ')}`
        }
      : { stage: 'route', outcome: 'ok', text: `The server publishes it at ${first.info.address ?? 'no address yet'}.` }
  return { proxies, steps: [step] }
}

const kindOf = ({ info }: ProxyHandle, { proxies }: Registries): ProxyKind | undefined =>
  proxies.has(info.spec.kind) ? proxies.get(info.spec.kind) : undefined

const sessionsOf = (proxies: readonly ProxyHandle[], runtime: Runtime): ExplainedSession[] => {
  const ids = new Set(proxies.flatMap(({ info }) => info.session?.id ?? []))
  return [...ids].flatMap((id) => runtime.session(id) ?? runtime.cluster?.session(id) ?? [])
}

const noSession = (events: ReturnType<typeof newestFirst>): ExplainStep => {
  const last = events.find(({ type }) => type === 'session.closed' || type === 'refused')
  const error = last !== undefined && 'error' in last ? last.error : undefined
  const text = `There is no session${error === undefined ? '' : `: ${error.message}`}.`
  return { stage: 'client', outcome: 'fail', text, hint: 'see why the client does not connect: `rystra doctor`' }
}

const visitOf = (
  proxy: ProxyHandle,
  session: ExplainedSession,
  target: VisitTarget,
  from = '127.0.0.1'
): StreamInfo => ({
  id: 'why',
  proxy: proxy.info.spec,
  visitor: { host: plainAddress(from), port: 0, to: { host: target.host, port: target.port ?? 0 } },
  session: session.info,
  side: 'server'
})

const serviceStep = async (
  proxies: readonly ProxyHandle[],
  visit: StreamInfo | undefined,
  probe: boolean,
  { registries, probe: connect }: ExplainParts
): Promise<ExplainStep> => {
  const stage = 'service'
  if (proxies.every(({ info }) => !info.healthy)) {
    const text = 'The health check of the client says that the service is down.'
    return { stage, outcome: 'fail', text, hint: 'start the service, or change `local` or `healthCheck` of the proxy' }
  }
  const proxy = proxies.find(({ info }) => info.healthy && info.state === 'published')
  const connects = proxy !== undefined && kindOf(proxy, registries)?.connects !== false
  if (!probe || !connects || visit === undefined) {
    const why = !probe
      ? 'it was not asked for'
      : connects
        ? 'there is no session'
        : 'a service of this kind answers no connection'
    return { stage, outcome: 'skip', text: `No connection to the service was opened: ${why}.` }
  }
  try {
    await connect(proxy, visit)
    return { stage, outcome: 'ok', text: 'The client has connected to the service.' }
  } catch (error) {
    const { message, hint } = toRystraError(error, 'stream.service-unreachable')
    return { stage, outcome: 'fail', text: `The service was not reached: ${message}.`, hint }
  }
}
