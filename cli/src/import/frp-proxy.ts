import { hostPort } from '@rystra/address'
import { commented, type Draft, variablePart } from './draft.js'
import { frpBandwidth, frpReasons } from './frp.js'
import type { Table } from './table.js'

/** An entry of `client.proxies`. */
export type Entry = Record<string, unknown>

const reasons: Readonly<Record<string, string>> = {
  ...frpReasons,
  'transport.useEncryption': 'the transport encrypts: tls, wss, quic',
  'transport.useCompression': 'no compression',
  'transport.bandwidthLimitMode': 'both ends keep the limit',
  'loadBalancer.groupKey': 'members of a group are clients of one identity',
  'healthCheck.httpHeaders': 'checks have no headers of their own',
  routeByHTTPUser: 'routes are by host and path',
  natTraversal: 'no peer-to-peer connections: traffic goes through the server',
  multiplexer: 'no HTTP CONNECT multiplexer',
  plugin: 'no such plugin'
}

/** Kinds of frp that have no equivalent. */
const withoutKind: Readonly<Record<string, string>> = {
  tcpmux: 'no HTTP CONNECT multiplexer: use kind http, https or tcp'
}

const withoutPlugin: Readonly<Record<string, string>> = {
  http_proxy: 'no forward proxy: run one beside the client, and publish its port',
  socks5: 'no SOCKS server: run one beside the client, and publish its port',
  static_file: 'no file server: run one beside the client, and publish its port with kind http',
  http2https: 'services are reached without TLS: put a reverse proxy in front of it, or publish it with kind https',
  https2https: 'services are reached without TLS: publish it with kind https, its own certificate serves visitors',
  tls2raw: 'TLS ends at the server for HTTP only',
  virtual_net: 'no layer 3 network'
}

const common = (table: Table, entry: Entry): void => {
  const bandwidth = table.text('transport.bandwidthLimit')
  if (bandwidth !== undefined) {
    entry['bandwidth'] = frpBandwidth(bandwidth)
    table.same('transport.bandwidthLimit', 'bandwidth')
  }
  const version = table.text('transport.proxyProtocolVersion')
  if (version !== undefined) {
    entry['proxyProtocol'] = version
    table.same('transport.proxyProtocolVersion', 'proxyProtocol')
  }
  const group = table.text('loadBalancer.group')
  if (group !== undefined) {
    entry['group'] = group
    table.same('loadBalancer.group', 'group')
  }
  const type = table.text('healthCheck.type')
  if (type !== undefined) {
    const check: Entry = { type }
    table.same('healthCheck.type', 'healthCheck.type')
    const put = (key: string, name: string, unit: string | undefined): void => {
      const value = table.number(key)
      if (value === undefined) return
      check[name] = unit === undefined ? value : `${value}${unit}`
      table.same(key, `healthCheck.${name}`)
    }
    put('healthCheck.timeoutSeconds', 'timeout', 's')
    put('healthCheck.intervalSeconds', 'interval', 's')
    put('healthCheck.maxFailed', 'failures', undefined)
    const path = table.text('healthCheck.path')
    if (path !== undefined) {
      check['path'] = path
      table.same('healthCheck.path', 'healthCheck.path')
    }
    entry['healthCheck'] = check
  }
}

/** The service, with what a plugin of frpc says about it. Undefined where it cannot be reached by Rystra. */
const serviceOf = (table: Table): string | number | undefined => {
  const plugin = table.text('plugin.type')
  if (plugin === 'unix_domain_socket') {
    table.same('plugin.type', 'local')
    const path = table.text('plugin.unixPath') ?? ''
    table.same('plugin.unixPath', 'local')
    return `unix:${path}`
  }
  if (plugin === 'http2http' || plugin === 'https2http') {
    table.note('plugin.type', 'same', 'local')
    table.same('plugin.localAddr', 'local')
    return table.text('plugin.localAddr') ?? ''
  }
  if (plugin !== undefined) return undefined
  const port = table.number('localPort')
  if (port === undefined) throw table.invalid('localPort', 'expected a port')
  table.same('localPort', 'local')
  table.same('localIP', 'local')
  return hostPort(table.text('localIP') ?? '127.0.0.1', port)
}

const hosts = (table: Table, entry: Entry): void => {
  const domains = table.texts('customDomains')
  if (domains !== undefined && domains.length > 0) {
    entry['host'] = domains.length === 1 ? domains[0] : domains
    table.same('customDomains', 'host')
  }
  const subdomain = table.text('subdomain')
  if (subdomain !== undefined) {
    entry['subdomain'] = subdomain
    table.same('subdomain', 'subdomain')
  }
}

const headers = (table: Table, entry: Entry): void => {
  for (const name of ['requestHeaders', 'responseHeaders']) {
    const set = table.record(`${name}.set`)
    if (set === undefined) continue
    entry[name] = { set }
    table.same(`${name}.set`, `${name}.set`)
  }
  const plugin = table.record('plugin.requestHeaders.set')
  if (plugin !== undefined) {
    entry['requestHeaders'] = { set: plugin }
    table.same('plugin.requestHeaders.set', 'requestHeaders.set')
  }
  for (const key of ['hostHeaderRewrite', 'plugin.hostHeaderRewrite']) {
    const host = table.text(key)
    if (host === undefined) continue
    entry['hostHeader'] = host
    table.same(key, 'hostHeader')
  }
}

const http = (table: Table, draft: Draft, entry: Entry): Entry[] => {
  hosts(table, entry)
  headers(table, entry)
  const user = table.text('httpUser')
  const password = table.text('httpPassword')
  if (user !== undefined || password !== undefined) {
    const name = `RYSTRA_PASSWORD_${variablePart(String(entry['name']))}`
    const comment = `Password of the proxy ${String(entry['name'])}.`
    entry['basicAuth'] = { user: user ?? '', password: draft.secret(name, password ?? '', comment) }
    table.same('httpUser', 'basicAuth.user')
    table.same('httpPassword', `basicAuth.password, as \${${name}}`)
  }
  const paths = table.texts('locations') ?? []
  if (paths.length <= 1) {
    if (paths[0] !== undefined) entry['path'] = paths[0]
    table.same('locations', 'path')
    return [entry]
  }
  table.note('locations', 'changed', 'path: one proxy for each')
  return paths.map((path, i) => ({
    ...entry,
    name: i === 0 ? entry['name'] : `${String(entry['name'])}-${i + 1}`,
    path
  }))
}

const port = (table: Table, entry: Entry): void => {
  const value = table.number('remotePort')
  if (value === undefined || value === 0) {
    table.note('remotePort', 'same', 'port: any free one of server.publish.ports')
    return
  }
  entry['port'] = value
  table.same('remotePort', 'port')
}

const privately = (table: Table, draft: Draft, entry: Entry, type: string): void => {
  draft.extension('@rystra/proxy-private')
  if (type === 'sudp') entry['protocol'] = 'udp'
  if (type === 'xtcp') table.note('type', 'changed', 'kind private: through the server, no peer-to-peer connections')
  const secret = table.text('secretKey')
  if (secret !== undefined) {
    const name = `RYSTRA_SECRET_${variablePart(String(entry['name']))}`
    entry['secret'] = draft.secret(name, secret, `Secret of the private proxy ${String(entry['name'])}.`)
    table.same('secretKey', `secret, as \${${name}}`)
  }
  const users = table.texts('allowUsers')
  if (users !== undefined) {
    entry['allow'] = users
    table.note(
      'allowUsers',
      'changed',
      'allow: identities that the server has authenticated, not names that clients give'
    )
  }
}

/** The proxies that one entry of `[[proxies]]` becomes; none where it has no equivalent. */
export const importProxy = (table: Table, draft: Draft): unknown[] => {
  const type = table.text('type') ?? ''
  const name = table.text('name')
  if (name === undefined) throw table.invalid('name', 'expected a name')
  const plugin = table.text('plugin.type')
  const lost = withoutKind[type] ?? withoutPlugin[plugin ?? '']
  if (table.boolean('enabled') === false) return skipped(table, 'enabled', 'disabled at the peer: left out')
  table.same('enabled', 'every proxy that is listed is published')
  if (lost !== undefined) return skipped(table, withoutKind[type] === undefined ? 'plugin.type' : 'type', lost)
  const local = serviceOf(table)
  if (local === undefined) return skipped(table, 'plugin.type', `no plugin "${plugin}"`)
  const entry: Entry = { name, kind: type, local }
  common(table, entry)
  const notes: string[] = []
  let entries = [entry]
  if (type === 'https' && plugin === 'https2http') {
    entry['kind'] = 'http'
    const text =
      'kind http: TLS ends at the server, which needs the certificate (`certificates` of @rystra/proxy-https)'
    table.note('type', 'changed', text)
    for (const key of ['plugin.crtPath', 'plugin.keyPath'])
      table.note(key, 'changed', 'certificates of @rystra/proxy-https, at the server')
    notes.push('Its certificate belongs at the server: `certificates` of @rystra/proxy-https.')
    draft.extension('@rystra/proxy-http')
    entries = http(table, draft, entry)
  } else if (type === 'http') {
    draft.extension('@rystra/proxy-http')
    entries = http(table, draft, entry)
  } else if (type === 'https') {
    draft.extension('@rystra/proxy-https')
    draft.extension('@rystra/proxy-http')
    hosts(table, entry)
  } else if (type === 'stcp' || type === 'sudp' || type === 'xtcp') {
    entry['kind'] = 'private'
    privately(table, draft, entry, type)
  } else if (type === 'udp' || type === 'tcp') {
    if (type === 'udp') draft.extension('@rystra/proxy-udp')
    port(table, entry)
  } else throw table.invalid('type', `expected tcp, udp, http, https, stcp, sudp, xtcp or tcpmux, not "${type}"`)
  table.same('name', 'name')
  table.same('type', `kind ${String(entry['kind'])}`)
  table.finish(reasons)
  return entries.map((one) => commented(notes, one))
}

const skipped = (table: Table, key: string, text: string): [] => {
  table.note(key, 'none', text)
  table.leaveOut(`the proxy ${table.text('name') ?? ''} is left out`)
  return []
}

/** The forward that one entry of `[[visitors]]` becomes; none where it is disabled. */
export const importVisitor = (table: Table, draft: Draft): unknown[] => {
  if (table.boolean('enabled') === false) {
    table.note('enabled', 'none', 'disabled at the peer: left out')
    table.leaveOut(`the visitor ${table.text('name') ?? ''} is left out`)
    return []
  }
  table.same('enabled', 'every forward that is listed is opened')
  draft.extension('@rystra/proxy-private')
  const name = table.text('name') ?? ''
  const type = table.text('type') ?? 'stcp'
  const of = table.text('serverName') ?? name
  const entry: Entry = { name, of }
  if (type === 'sudp') entry['protocol'] = 'udp'
  table.same('name', 'name')
  table.same('serverName', 'of')
  if (type === 'xtcp') table.note('type', 'changed', 'kind private: through the server, no peer-to-peer connections')
  else table.same('type', type === 'sudp' ? 'protocol udp' : 'kind private')
  const secret = table.text('secretKey')
  if (secret !== undefined) {
    const variable = draft.secret(`RYSTRA_SECRET_${variablePart(of)}`, secret, `Secret of the private proxy ${of}.`)
    entry['secret'] = variable
    table.same('secretKey', `secret, as ${variable}`)
  }
  const number = table.number('bindPort') ?? 0
  if (number < 0) {
    table.note('bindPort', 'none', 'a forward has a port of its own; -1 is written as any free port')
  } else table.same('bindPort', 'bind')
  table.same('bindAddr', 'bind')
  entry['bind'] = hostPort(table.text('bindAddr') ?? '127.0.0.1', Math.max(0, number))
  table.note(
    'serverUser',
    'changed',
    '`from` names the identity of the owner; by default the own one and any that allows it'
  )
  table.finish({
    ...reasons,
    keepTunnelOpen: 'nothing to keep open: traffic goes through the server',
    fallbackTo: 'no fallback is needed: traffic goes through the server',
    fallbackTimeoutMs: 'no fallback is needed: traffic goes through the server',
    protocol: 'no peer-to-peer connections',
    maxRetriesAnHour: 'no peer-to-peer connections',
    minRetryInterval: 'no peer-to-peer connections'
  })
  return [entry]
}
