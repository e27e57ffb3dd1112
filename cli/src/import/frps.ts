import { commented, type Draft } from './draft.js'
import { frpReasons, importLog, importToken } from './frp.js'
import { freshToken } from '../init/token.js'
import type { Table } from './table.js'

const reasons: Readonly<Record<string, string>> = {
  ...frpReasons,
  kcpBindPort: 'no KCP; quic is the transport over UDP',
  tcpmuxHTTPConnectPort: 'no HTTP CONNECT multiplexer',
  tcpmuxPassthrough: 'no HTTP CONNECT multiplexer',
  sshTunnelGateway: 'no SSH gateway: clients run rystra',
  webServer: 'the admin API and its dashboard are an extension: see @rystra/admin-http',
  httpPlugins: 'write a hook: `rystra extension:create --kind hook`',
  natholeAnalysisDataReserveHours: 'no peer-to-peer connections',
  allowedClientIPs: 'no list of networks of clients: a firewall, or a hook at onHello',
  detailedErrorsToClient: 'clients get the code and reason of each refusal',
  userConnTimeout: 'handshakeTimeout and the timeouts of proxy-http stand for it',
  'transport.maxPoolCount': 'muxer direct keeps a pool of its own',
  'transport.tcpKeepalive': 'see `keepAlive` of the transport',
  'transport.tcpMux': 'each client chooses: client.connect.muxer'
}

const portText = (first: number, last: number): string | number => (first === last ? first : `${first}-${last}`)

const ports = (table: Table): unknown => {
  const ranges = table.tables('allowPorts').map((range) => {
    const single = range.number('single')
    for (const key of ['single', 'start', 'end']) range.same(key, 'server.publish.ports')
    const first = single ?? range.number('start') ?? 1
    return portText(first, single ?? range.number('end') ?? first)
  })
  if (ranges.length > 0) return ranges
  return commented(['frps allowed every port; without rights of root these are all.'], ['1024-65535'])
}

const listeners = (table: Table, draft: Draft): unknown[] => {
  const host = table.text('bindAddr') ?? '0.0.0.0'
  const port = table.number('bindPort') ?? 7000
  const tls: Record<string, unknown> = { transport: 'tls', host, port }
  draft.extension('@rystra/transport-tls')
  const fields = { certFile: 'cert', keyFile: 'key', trustedCaFile: 'clientCa' }
  for (const [key, field] of Object.entries(fields)) {
    const value = table.text(`transport.tls.${key}`)
    if (value === undefined) continue
    tls[field] = value
    table.same(`transport.tls.${key}`, `server.listen[].${field}`)
  }
  if (tls['clientCa'] !== undefined) tls['clientCert'] = 'required'
  if (table.boolean('transport.tls.force') === true) table.same('transport.tls.force', 'only tls listens')
  else table.note('transport.tls.force', 'changed', 'only tls listens; add { transport: tcp } for clients without TLS')
  table.same('bindAddr', 'server.listen[].host')
  table.same('bindPort', 'server.listen[].port')
  const list: unknown[] = [
    commented(
      tls['cert'] === undefined
        ? [
            'A self-signed certificate is made at the first start; clients pin the fingerprint that `rystra serve` prints.'
          ]
        : [],
      tls
    )
  ]
  const quic = table.number('quicBindPort') ?? 0
  if (quic > 0) {
    draft.extension('@rystra/transport-quic')
    const { cert, key } = tls
    list.push({ transport: 'quic', host, port: quic, ...(cert === undefined ? {} : { cert, key }) })
    table.same('quicBindPort', 'server.listen[].port of quic')
  }
  return list
}

const web = (table: Table, draft: Draft): void => {
  const host = table.text('proxyBindAddr') ?? table.text('bindAddr') ?? '0.0.0.0'
  const http = table.number('vhostHTTPPort') ?? 0
  const https = table.number('vhostHTTPSPort') ?? 0
  const domain = table.text('subDomainHost')
  const base = domain === undefined ? {} : { baseDomain: domain }
  table.same('subDomainHost', 'baseDomain of @rystra/proxy-http and @rystra/proxy-https')
  if (http > 0 || https > 0) {
    const options: Record<string, unknown> = { listen: http > 0 ? [{ host, port: http }] : [], ...base }
    const timeout = table.number('vhostHTTPTimeout')
    if (timeout !== undefined) options['answerTimeout'] = timeout * 1000
    table.same('vhostHTTPTimeout', 'answerTimeout of @rystra/proxy-http, in milliseconds')
    const page = table.text('custom404Page')
    if (page !== undefined) options['errorPages'] = { 404: page }
    table.same('custom404Page', 'errorPages of @rystra/proxy-http')
    draft.extension('@rystra/proxy-http', options)
    table.same('vhostHTTPPort', 'listen of @rystra/proxy-http')
  }
  if (https > 0) {
    draft.extension('@rystra/proxy-https', { listen: [{ host, port: https }], ...base })
    table.same('vhostHTTPSPort', 'listen of @rystra/proxy-https')
  }
}

const authenticate = (table: Table, draft: Draft): void => {
  if (importToken(table, draft, 'server') !== undefined) return
  const token = draft.secret(
    'RYSTRA_TOKEN',
    freshToken(),
    'A new token: frps had none, and Rystra admits no client without one.'
  )
  draft.extension('@rystra/auth-token', { token }, ['frps had no token; the one in .env is new, and clients need it.'])
}

const metrics = (table: Table, draft: Draft): void => {
  if (table.boolean('enablePrometheus') !== true) return
  // At frps the path /metrics is on the port of its web server.
  const host = table.text('webServer.addr') ?? '127.0.0.1'
  const port = table.number('webServer.port')
  draft.extension('@rystra/observe-prometheus', { listen: { host, ...(port === undefined ? {} : { port }) } })
  table.same('enablePrometheus', 'listen of @rystra/observe-prometheus')
}

/** Reads a configuration of frps. */
export const importFrps = (table: Table, draft: Draft): void => {
  importLog(table, draft)
  authenticate(table, draft)
  const publish: Record<string, unknown> = {}
  const host = table.text('proxyBindAddr')
  if (host !== undefined) publish['host'] = host
  table.same('proxyBindAddr', 'server.publish.host')
  publish['ports'] = ports(table)
  const server: Record<string, unknown> = { listen: listeners(table, draft), publish }
  const timeout = table.number('transport.heartbeatTimeout')
  if (timeout !== undefined && timeout > 0) {
    // The interval stays below the timeout, as with the defaults: a third of it.
    server['heartbeat'] = { interval: `${Math.max(1, Math.min(15, Math.floor(timeout / 3)))}s`, timeout: `${timeout}s` }
    table.same('transport.heartbeatTimeout', 'server.heartbeat.timeout')
  } else table.note('transport.heartbeatTimeout', 'none', 'heartbeats cannot be switched off')
  const most = table.number('maxPortsPerClient') ?? 0
  if (most > 0) {
    server['limits'] = { proxiesPerSession: most }
    table.same('maxPortsPerClient', 'server.limits.proxiesPerSession')
  } else table.note('maxPortsPerClient', 'changed', 'server.limits.proxiesPerSession is 256 by default')
  web(table, draft)
  metrics(table, draft)
  draft.extension('@rystra/proxy-udp', {}, ['For proxies of kind udp; take it out if unused.'])
  draft.extension('@rystra/proxy-private', {}, ['For stcp and sudp; take it out if unused.'])
  draft.server = server
  table.finish(reasons, ['allowPorts'])
}
