import { formatEndpoint, parseEndpoint } from '@rystra/address'
import { freshToken } from '../init/token.js'
import { commented, type Draft, variablePart } from './draft.js'
import type { Table } from './table.js'

const reasons: Readonly<Record<string, string>> = {
  nodelay: 'TCP_NODELAY is always set',
  prefer_ipv6: 'IPv6 and IPv4 are raced (RFC 8305)',
  heartbeat_timeout: 'the server decides: server.heartbeat.timeout',
  'transport.noise': 'no Noise: TLS 1.3 with a pinned fingerprint stands for it',
  udp_data_channels: 'datagrams of all visitors share one stream, or go as datagrams of QUIC',
  token_file: 'see `file` of @rystra/auth-token',
  default_token_file: 'see `file` of @rystra/auth-token',
  'transport.tls': 'the server has the certificate, in PEM; clients trust an authority or pin the fingerprint',
  'transport.tls.pkcs12_password': 'key files are PEM without a password',
  'transport.tcp.nodelay': 'TCP_NODELAY is always set',
  'transport.tcp.keepalive_secs': 'see `keepAlive` of the transport',
  'transport.tcp.keepalive_interval': 'the interval of the system'
}

const packages: Readonly<Record<string, string>> = { tls: 'tls', ws: 'ws', wss: 'ws', http2: 'http2', h2c: 'http2' }

const endpoint = (table: Table, key: string): { host: string; port: number } => {
  const text = table.string(key)
  if (text === undefined) throw table.invalid(key, 'expected an address with a port')
  const { host, port } = parseEndpoint(text, {}, { name: `${table.source.name}: ${key}`, code: 'config.invalid' })
  return { host, port }
}

const transportOf = (table: Table, draft: Draft): string => {
  const type = table.text('transport.type') ?? 'tcp'
  const secure = (key: string): boolean => table.boolean(key) === true
  const transport = {
    tcp: 'tcp',
    tls: 'tls',
    noise: 'tls',
    websocket: secure('transport.websocket.tls') ? 'wss' : 'ws',
    http2: secure('transport.http2.tls') ? 'http2' : 'h2c'
  }[type]
  if (transport === undefined) throw table.invalid('transport.type', `unknown transport "${type}"`)
  if (type === 'noise')
    table.note('transport.type', 'changed', 'transport tls: TLS 1.3 with a pinned fingerprint stands for Noise')
  else table.same('transport.type', `transport ${transport}`)
  for (const key of ['transport.websocket.tls', 'transport.http2.tls']) table.same(key, `transport ${transport}`)
  const name = packages[transport]
  if (name !== undefined) draft.extension(`@rystra/transport-${name}`)
  const seconds = table.number('transport.tcp.keepalive_secs')
  if (seconds !== undefined && transport === 'tcp') {
    draft.extension('@rystra/transport-tcp', { keepAlive: seconds * 1000 })
    table.same('transport.tcp.keepalive_secs', 'keepAlive of @rystra/transport-tcp, in milliseconds')
  }
  return transport
}

/** Services of one section, by name. */
const servicesOf = (table: Table): [name: string, service: Table][] =>
  Object.keys((table.raw('services') ?? {}) as object).flatMap((name) => {
    const services = table.table('services') as Table
    const service = services.table(name)
    return service === undefined ? [] : [[name, service]]
  })

const isUdp = (service: Table): boolean => service.string('type') === 'udp'

const importClient = (table: Table, draft: Draft, publicPorts: ReadonlyMap<string, number>): void => {
  const transport = transportOf(table, draft)
  const connect: Record<string, unknown> = { transport, ...endpoint(table, 'remote_addr') }
  table.same('remote_addr', 'client.connect')
  const proxy = table.text('transport.tcp.proxy')
  if (proxy !== undefined) {
    connect['proxy'] = draft.secret('RYSTRA_PROXY', proxy, 'Proxy to dial through; it may hold a password.')
    table.same('transport.tcp.proxy', 'client.connect.proxy, as ${RYSTRA_PROXY}')
  }
  const root = table.text('transport.tls.trusted_root')
  if (root !== undefined && transport !== 'tcp') connect['ca'] = root
  table.same('transport.tls.trusted_root', 'client.connect.ca')
  const hostname = table.text('transport.tls.hostname')
  if (hostname !== undefined && transport !== 'tcp') connect['serverName'] = hostname
  table.same('transport.tls.hostname', 'client.connect.serverName')
  if (table.string('transport.type') === 'noise')
    connect['fingerprint'] = draft.unknown(
      'RYSTRA_FINGERPRINT',
      'Fingerprint of the server, as `rystra serve` prints it: sha256:…'
    )
  const services = servicesOf(table)
  const fallback = table.text('default_token')
  const tokens = new Map(services.map(([name, service]) => [name, service.text('token') ?? fallback]))
  const token = fallback ?? [...tokens.values()][0]
  draft.extension('@rystra/auth-token', {
    token:
      token === undefined
        ? draft.unknown('RYSTRA_TOKEN', 'The token of the server.')
        : draft.secret('RYSTRA_TOKEN', token, 'The token of this client; the server has to have the same.')
  })
  table.same('default_token', 'token of @rystra/auth-token, as ${RYSTRA_TOKEN}')
  const retry = table.number('retry_interval')
  if (retry !== undefined) table.note('retry_interval', 'changed', 'client.reconnect: delays grow from 250 ms to 30 s')

  const proxies = services.map(([name, service]) => {
    const udp = isUdp(service)
    if (udp) draft.extension('@rystra/proxy-udp')
    const own = tokens.get(name)
    if (own !== token)
      service.note('token', 'none', 'one client has one token: run a second client, or use the same token')
    else service.same('token', 'the token of the client')
    service.same('type', 'kind')
    service.same('local_addr', 'local')
    if (service.raw('retry_interval') !== undefined) service.note('retry_interval', 'changed', 'client.reconnect')
    service.finish(reasons)
    const { host, port } = endpoint(service, 'local_addr')
    const entry: Record<string, unknown> = { name, kind: udp ? 'udp' : 'tcp', local: formatEndpoint({ host, port }) }
    const publicPort = publicPorts.get(name)
    if (publicPort !== undefined) return { ...entry, port: publicPort }
    table.source.notes.push({
      key: `${service.path}.bind_addr`,
      outcome: 'changed',
      text: 'the port is in the configuration of the server at rathole, and here in that of the client: add `port`'
    })
    return commented(['Add the public port, which rathole has in bind_addr at the server:', 'port: …'], entry)
  })
  draft.client = { connect, proxies }
  table.finish(reasons, ['services'])
}

const importServer = (table: Table, draft: Draft): Map<string, number> => {
  const transport = transportOf(table, draft)
  const listen: Record<string, unknown> = { transport, ...endpoint(table, 'bind_addr') }
  table.same('bind_addr', 'server.listen')
  table.note('transport.tls.pkcs12', 'changed', 'cert and key of server.listen, in PEM: openssl pkcs12 -in FILE -nodes')
  const notes =
    transport === 'tls' || transport === 'wss'
      ? ['cert and key are PEM files; without them a self-signed certificate is made, which clients pin.']
      : []
  const services = servicesOf(table)
  const ports = new Map<string, number>()
  const hosts = new Set<string>()
  const tokens = new Map<string, { identity: string; token: string }>()
  const fallback = table.text('default_token')
  const add = (identity: string, token: string): void => {
    if (tokens.has(token)) return
    const name = identity === 'default' ? 'RYSTRA_TOKEN' : `RYSTRA_TOKEN_${variablePart(identity)}`
    tokens.set(token, { identity, token: draft.secret(name, token, `Token of the identity ${identity}.`) })
  }
  if (fallback !== undefined) add('default', fallback)
  table.same('default_token', 'tokens of @rystra/auth-token')
  for (const [name, service] of services) {
    const { host, port } = endpoint(service, 'bind_addr')
    hosts.add(host)
    ports.set(name, port)
    service.same('bind_addr', `server.publish.ports has ${port}; the client asks for it`)
    service.same('type', 'the client names the kind')
    if (isUdp(service)) draft.extension('@rystra/proxy-udp')
    const token = service.text('token')
    if (token !== undefined) add(name, token)
    service.same('token', `tokens of @rystra/auth-token, identity ${token === fallback ? 'default' : name}`)
    service.finish(reasons)
  }
  if (tokens.size === 0) add('default', freshToken())
  draft.extension('@rystra/auth-token', { tokens: [...tokens.values()] })
  const [host = '0.0.0.0'] = hosts.size === 1 ? hosts : []
  const server: Record<string, unknown> = {
    listen: [commented(notes, listen)],
    publish: commented(
      [...ports].map(([name, port]) => `${port}: ${name}`),
      { host, ports: [...new Set(ports.values())] }
    )
  }
  if (hosts.size > 1)
    table.source.notes.push({
      key: 'bind_addr',
      outcome: 'changed',
      text: 'services have several hosts: `host` of each proxy'
    })
  const interval = table.number('heartbeat_interval')
  if (interval !== undefined && interval > 0) {
    server['heartbeat'] = { interval: `${interval}s`, timeout: `${interval * 3}s` }
    table.same('heartbeat_interval', 'server.heartbeat.interval')
  } else table.note('heartbeat_interval', 'none', 'heartbeats cannot be switched off')
  draft.server = server
  table.finish(reasons, ['services'])
  return ports
}

/** Reads a configuration of rathole: of the server, of a client, or of both. */
export const importRathole = (table: Table, draft: Draft): void => {
  const server = table.table('server')
  const client = table.table('client')
  const ports = server === undefined ? new Map<string, number>() : importServer(server, draft)
  if (client !== undefined) importClient(client, draft, ports)
  table.finish({}, ['server', 'client'])
}
