import { hostPort, plainAddress } from '@rystra/address'
import { nearest } from '@rystra/kernel'
import type { ExplainStep, ProxyHandle, ProxyKind, Registry, Runtime, VisitListener, VisitTarget } from '@rystra/plugin'
import { hostFits, portIn } from './matches.js'

type Kinds = Registry<ProxyKind>

/** Where a visitor comes to on a server. */
export interface Landing {
  readonly steps: readonly ExplainStep[]
  /** Kind of the proxies that were looked for; `undefined` when none of its listeners is there. */
  readonly kind?: string
  readonly proxies: readonly ProxyHandle[]
}

const withRouting = (kinds: Kinds) =>
  kinds.list().flatMap((name) => {
    const { routing } = kinds.get(name)
    return routing === undefined ? [] : [{ name, routing }]
  })

const isLoopback = (host: string): boolean => /^(127\.|::1$)/.test(plainAddress(host))

const shown = ({ scheme, host, port, forwarded }: VisitListener): string =>
  forwarded === true ? `${scheme} at port ${port} of the proxy in front` : `${scheme}://${hostPort(host, port)}`

/** With those that other servers of a cluster serve. */
const proxiesOf = (runtime: Runtime): ProxyHandle[] => [...runtime.proxies(), ...(runtime.cluster?.proxies() ?? [])]

/** Names that are near to a host: the nearest by its letters, and others of the same domain. */
const namesNear = (host: string, names: readonly string[]): string[] => {
  const parent = host.slice(host.indexOf('.'))
  const meant = nearest(host, names)
  const siblings = names.filter((name) => name.endsWith(parent))
  return [...new Set([...(meant === undefined ? [] : [meant]), ...siblings, ...names])].slice(0, 5)
}

const listens = (runtime: Runtime, kinds: Kinds): string => {
  const web = withRouting(kinds).flatMap(({ routing }) => routing.listeners().map(shown))
  const ports = proxiesOf(runtime).flatMap(({ info }) => {
    const routed = kinds.has(info.spec.kind) && kinds.get(info.spec.kind).routing !== undefined
    return info.address === undefined || routed ? [] : [info.address]
  })
  const all = [...new Set([...web, ...ports])]
  if (all.length === 0) return 'no proxy is published, and no kind listens for visitors'
  return `visitors can connect to ${all.slice(0, 8).join(', ')}${all.length > 8 ? `, and ${all.length - 8} more` : ''}`
}

/** The proxies at a port of their own. */
const byPort = (target: VisitTarget, runtime: Runtime, kinds: Kinds): Landing | undefined => {
  const { port, scheme } = target
  const proxies = proxiesOf(runtime).filter(({ info: { spec, address } }) => {
    const known = kinds.has(spec.kind) ? kinds.get(spec.kind) : undefined
    if (known?.routing !== undefined || portIn(address) !== port) return false
    return scheme === undefined || /^https?$/.test(scheme) || scheme === spec.kind
  })
  const [first] = proxies
  if (first === undefined) return undefined
  const { address = '', spec } = first.info
  const text = `The kind ${spec.kind} listens at ${address}.`
  return {
    kind: spec.kind,
    proxies,
    steps: [
      { stage: 'listener', outcome: 'ok', text },
      { stage: 'route', outcome: 'ok', text: `Port ${port} belongs to the proxy ${spec.name}.` }
    ]
  }
}

const noListener = (target: VisitTarget, runtime: Runtime, kinds: Kinds): Landing => {
  const { port, scheme } = target
  const hint = `${listens(runtime, kinds)}; add a proxy, or a listener of proxy-http or proxy-https`
  const clients = [...runtime.listeners()].find(({ info }) => info.port === port)
  const text =
    clients === undefined
      ? `Nothing of this server listens at port ${port ?? '(none given)'}${scheme === undefined ? '' : ` for ${scheme}`}.`
      : `Port ${port} is where clients connect (${clients.id}), not visitors.`
  return { proxies: [], steps: [{ stage: 'listener', outcome: 'fail', text, hint }] }
}

const listenerStep = (listener: VisitListener, kind: string, { host }: VisitTarget): ExplainStep => {
  const stage = 'listener'
  const text = `The kind ${kind} listens at ${shown(listener)}.`
  const local = isLoopback(listener.host) && !isLoopback(host) && !/(^|\.)localhost$/.test(host)
  if (listener.forwarded === true)
    return { stage, outcome: 'ok', text: `Visitors of ${shown(listener)} are forwarded to the kind ${kind}.` }
  if (!local) return { stage, outcome: 'ok', text }
  const hint = 'listen on 0.0.0.0, or put a proxy in front of it'
  return { stage, outcome: 'warn', text: `${text} Visitors of other machines do not reach it.`, hint }
}

const noRoute = (target: VisitTarget, kind: string, runtime: Runtime, kinds: Kinds): ExplainStep => {
  const { host, path } = target
  const { routing } = kinds.get(kind)
  const claims = proxiesOf(runtime)
    .filter(({ info }) => info.spec.kind === kind)
    .flatMap(({ info }) => routing?.claimed(info.spec) ?? [])
  const paths = claims.filter(({ hosts }) => hosts.some((one) => hostFits(one, host))).map((one) => one.path)
  if (paths.length > 0) {
    const text = `${host} has no proxy for ${path}: there is ${[...new Set(paths)].slice(0, 5).join(', ')}.`
    return { stage: 'route', outcome: 'fail', text, hint: 'publish a proxy with this path, or with path /' }
  }
  const names = namesNear(host, [...new Set(claims.flatMap(({ hosts }) => hosts))])
  const text = `No proxy of the kind ${kind} has the host ${host}.`
  const hint =
    names.length === 0
      ? `no host is published: a client publishes one with \`host: ${host}\``
      : `published are ${names.join(', ')}; a client publishes another with \`host: ${host}\``
  return { stage: 'route', outcome: 'fail', text, hint }
}

/** Where a visitor comes to: the listener, and the entry of the table of hosts. */
export const landingOf = (target: VisitTarget, runtime: Runtime, kinds: Kinds): Landing => {
  const { host, path, port, scheme } = target
  const candidates = withRouting(kinds).flatMap(({ name, routing }) =>
    routing
      .listeners()
      .filter((one) => (port === undefined || one.port === port) && (scheme === undefined || one.scheme === scheme))
      .slice(0, 1)
      .map((listener) => ({ name, routing, listener }))
  )
  const found = candidates.find(({ routing }) => routing.find(host, path) ?? routing.handsOver?.(host)) ?? candidates[0]
  const own = port === undefined ? undefined : byPort(target, runtime, kinds)
  if (found === undefined) return own ?? noListener(target, runtime, kinds)
  const first = listenerStep(found.listener, found.name, target)
  const over = found.routing.handsOver?.(host)
  const kind = over ?? found.name
  const routing = kinds.has(kind) ? kinds.get(kind).routing : undefined
  const handed: ExplainStep[] =
    over === undefined
      ? []
      : [{ stage: 'listener', outcome: 'ok', text: `TLS of ${host} ends here; the kind ${over} takes the request.` }]
  const entry = routing?.find(host, path)
  if (routing === undefined || entry === undefined)
    return { kind, proxies: [], steps: [first, ...handed, noRoute(target, kind, runtime, kinds)] }
  const how = entry.host === host ? 'exactly' : `by the wildcard ${entry.host}`
  const at = entry.path === '/' ? '' : `, at the path ${entry.path}`
  const proxies = proxiesOf(runtime).filter(({ info: { spec } }) => {
    if (spec.kind !== kind) return false
    const claimed = routing.claimed(spec)
    return claimed.path === entry.path && claimed.hosts.includes(entry.host)
  })
  const text = `${host} is published ${how}${at}.`
  return { kind, proxies, steps: [first, ...handed, { stage: 'route', outcome: 'ok', text }] }
}
