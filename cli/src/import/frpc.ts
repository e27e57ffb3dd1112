import { commented, type Draft } from './draft.js'
import { frpReasons, importLog, importToken } from './frp.js'
import { importProxy, importVisitor } from './frp-proxy.js'
import type { Table } from './table.js'

const clientApi =
  '`rystra connect` has an API on a unix socket, for the commands of the CLI; on TCP it is `listen` of @rystra/admin-http'

const reasons: Readonly<Record<string, string>> = {
  ...frpReasons,
  webServer: clientApi,
  'webServer.password': clientApi,
  natHoleStunServer: 'no peer-to-peer connections',
  dnsServer: 'names are resolved by the system',
  includes: 'import each of these files',
  store: 'proxies of the configuration are the only ones',
  'transport.dialServerTimeout': 'an attempt to dial ends after 10 s',
  'transport.dialServerKeepalive': 'see `keepAlive` of the transport',
  'transport.connectServerLocalIP': 'the system chooses the local address',
  'transport.connectServerInterface': 'the system chooses the interface',
  'transport.wireProtocol': 'the protocol is that of Rystra',
  'transport.poolCount': 'muxer yamux opens a stream without a round trip; muxer direct keeps a pool of its own',
  'transport.heartbeatInterval': 'the server decides: server.heartbeat.interval',
  'transport.heartbeatTimeout': 'the server decides: server.heartbeat.timeout',
  'transport.tls.disableCustomTLSFirstByte': 'TLS begins with its first byte anyway'
}

const transports: Readonly<Record<string, string>> = {
  tcp: 'tls',
  websocket: 'ws',
  wss: 'wss',
  quic: 'quic',
  kcp: 'tls'
}

const transportOf = (table: Table, draft: Draft): string => {
  const protocol = table.text('transport.protocol') ?? 'tcp'
  const plain = table.boolean('transport.tls.enable') === false
  const transport = protocol === 'tcp' && plain ? 'tcp' : transports[protocol]
  if (transport === undefined) throw table.invalid('transport.protocol', `unknown protocol "${protocol}"`)
  if (protocol === 'kcp')
    table.note('transport.protocol', 'none', 'no KCP: tls is written; quic is the transport over UDP')
  else table.same('transport.protocol', `client.connect.transport ${transport}`)
  if (plain && transport === 'tcp')
    table.note('transport.tls.enable', 'same', 'client.connect.transport tcp: not encrypted')
  else if (plain) table.note('transport.tls.enable', 'changed', `the transport ${transport} decides`)
  else table.same('transport.tls.enable', `client.connect.transport ${transport}`)
  const packages = { tls: 'tls', ws: 'ws', wss: 'ws', quic: 'quic' } as Readonly<Record<string, string>>
  if (packages[transport] !== undefined) draft.extension(`@rystra/transport-${packages[transport]}`)
  return transport
}

/** TLS fields of `client.connect`. frpc does not verify a server unless it is given an authority; Rystra always does. */
const trust = (table: Table, draft: Draft, connect: Record<string, unknown>): void => {
  const fields = { trustedCaFile: 'ca', certFile: 'cert', keyFile: 'key', serverName: 'serverName' }
  for (const [key, field] of Object.entries(fields)) {
    const value = table.text(`transport.tls.${key}`)
    if (value === undefined) continue
    connect[field] = value
    table.same(`transport.tls.${key}`, `client.connect.${field}`)
  }
  if (connect['ca'] !== undefined) return
  const lines = [
    'Rystra always verifies the server. This is the fingerprint that `rystra serve` prints at its start;',
    'without the field, only a certificate of a public authority is accepted.'
  ]
  const variable = draft.unknown(
    'RYSTRA_FINGERPRINT',
    'Fingerprint of the server, as `rystra serve` prints it: sha256:…'
  )
  connect['fingerprint'] = commented(lines, variable)
}

/** Reads a configuration of frpc. */
export const importFrpc = (table: Table, draft: Draft): void => {
  importLog(table, draft)
  if (importToken(table, draft, 'client') === undefined) {
    const token = draft.unknown('RYSTRA_TOKEN', 'The token of the server.')
    draft.extension('@rystra/auth-token', { token }, ['frpc had no token. Rystra admits no client without one.'])
  }
  const transport = transportOf(table, draft)
  const connect: Record<string, unknown> = {
    transport,
    host: table.text('serverAddr') ?? '0.0.0.0',
    port: table.number('serverPort') ?? 7000
  }
  if (connect['host'] === '0.0.0.0') connect['host'] = '127.0.0.1'
  table.same('serverAddr', 'client.connect.host')
  table.same('serverPort', 'client.connect.port')
  if (table.boolean('transport.tcpMux') === false) {
    connect['muxer'] = 'direct'
    table.same('transport.tcpMux', 'client.connect.muxer direct')
  } else table.same('transport.tcpMux', 'client.connect.muxer, yamux by default')
  const proxy = table.text('transport.proxyURL')
  if (proxy?.startsWith('ntlm') === true)
    table.note('transport.proxyURL', 'none', 'no NTLM; http, https and socks5 proxies')
  else if (proxy !== undefined) {
    connect['proxy'] = draft.secret('RYSTRA_PROXY', proxy, 'Proxy to dial through; it may hold a password.')
    table.same('transport.proxyURL', 'client.connect.proxy, as ${RYSTRA_PROXY}')
  }
  if (transport !== 'tcp' && transport !== 'ws') trust(table, draft, connect)

  const client: Record<string, unknown> = {}
  const id = table.text('clientID')
  if (id !== undefined) {
    client['id'] = id
    table.same('clientID', 'client.id')
  }
  table.note('user', 'changed', 'identities come from the token: the server lists one token for each user')
  client['connect'] = connect
  if (table.boolean('loginFailExit') ?? true)
    table.note('loginFailExit', 'changed', 'the client dials again; `connect --no-retry` ends with the first failure')
  else table.same('loginFailExit', 'the client dials again')
  const start = table.texts('start')
  const wanted = (name: unknown): boolean => start === undefined || start.length === 0 || start.includes(String(name))
  table.note('start', 'same', 'only these proxies are written')
  const proxies: unknown[] = []
  for (const one of table.tables('proxies')) {
    if (wanted(one.raw('name'))) proxies.push(...importProxy(one, draft))
    else {
      one.leaveOut('not in `start`: left out')
    }
  }
  client['proxies'] = proxies
  const forwards = table.tables('visitors').flatMap((visitor) => importVisitor(visitor, draft))
  if (forwards.length > 0) client['forwards'] = forwards
  draft.client = client
  table.finish(reasons, ['proxies', 'visitors'])
}
