import { formatEndpoint, hostPort } from '@rystra/address'
import { freshToken } from '../init/token.js'
import { clientFlags, encrypted, goDuration, noteFlags, readFlags, usage } from './chisel-flags.js'
import { commented, type Draft } from './draft.js'
import type { Note } from './note.js'

interface Remote {
  readonly reverse: boolean
  readonly localHost: string | undefined
  readonly localPort: string
  readonly host: string
  readonly port: string
  readonly protocol: 'tcp' | 'udp'
}

const parts = /\[[^\]]*\]|[^:]+/g

const parseRemote = (source: string): Remote | 'socks' | 'stdio' => {
  const reverse = /^R:/i.test(source)
  const [, body = '', protocol = 'tcp'] = /^(.*?)(?:\/(tcp|udp))?$/i.exec(source.replace(/^R:/i, '')) ?? []
  const words: string[] = body.match(parts) ?? []
  if (words.includes('socks')) return 'socks'
  if (words[0] === 'stdio') return 'stdio'
  const isPort = (value: string | undefined): boolean => /^\d{1,5}$/.test(value ?? '')
  const common = { reverse, protocol: protocol.toLowerCase() as 'tcp' | 'udp' }
  const [a = '', b = '', c = '', d = ''] = words
  const remote = ((): Omit<Remote, 'reverse' | 'protocol'> | undefined => {
    if (words.length === 1 && isPort(a)) return { localHost: undefined, localPort: a, host: 'localhost', port: a }
    if (words.length === 2 && isPort(a) && isPort(b))
      return { localHost: undefined, localPort: a, host: 'localhost', port: b }
    if (words.length === 2 && isPort(b)) return { localHost: undefined, localPort: b, host: a, port: b }
    if (words.length === 3 && isPort(a) && isPort(c)) return { localHost: undefined, localPort: a, host: b, port: c }
    if (words.length === 4 && isPort(b) && isPort(d)) return { localHost: a, localPort: b, host: c, port: d }
    return undefined
  })()
  if (remote === undefined) throw usage(`"${source}" is not a remote`)
  return { ...common, ...remote }
}

const importRemote = (source: string, draft: Draft, taken: Set<string>): { proxy?: unknown; forward?: unknown } => {
  const note = (outcome: Note['outcome'], words: string): void => {
    draft.notes.push({ key: source, outcome, text: words })
  }
  const remote = parseRemote(source)
  if (remote === 'socks' || remote === 'stdio') {
    note('none', remote === 'socks' ? 'no SOCKS proxy' : 'no relay over the standard streams')
    return {}
  }
  const { reverse, localHost, localPort, host, port, protocol } = remote
  let name = `${protocol}-${localPort}`
  for (let i = 2; taken.has(name); i++) name = `${protocol}-${localPort}-${i}`
  taken.add(name)
  const bare = (value: string): string => value.replace(/^\[|\]$/g, '')
  if (reverse) {
    if (protocol === 'udp') draft.extension('@rystra/proxy-udp')
    note('same', `client.proxies: ${name}`)
    const where = localHost === undefined || localHost === '0.0.0.0' ? {} : { host: bare(localHost) }
    const local = formatEndpoint({ host: bare(host), port: Number(port) })
    return { proxy: { name, kind: protocol, local, port: Number(localPort), ...where } }
  }
  draft.extension('@rystra/proxy-private')
  const secret = draft.secret('RYSTRA_SECRET', freshToken(), 'A new secret of the private proxies.')
  note(
    'changed',
    `client.forwards: ${name}. The server dials nothing: a client beside ${host} has to publish it with kind private`
  )
  const bind = hostPort(bare(localHost ?? '127.0.0.1'), Number(localPort))
  const forward = { name, of: name, secret, bind, ...(protocol === 'udp' ? { protocol } : {}) }
  const lines = [
    `Needs a client that reaches ${host}:${port}, with this proxy and the same secret:`,
    `{ name: ${name}, kind: private, local: '${host}:${port}', secret: '\${RYSTRA_SECRET}'${protocol === 'udp' ? ', protocol: udp' : ''} }`
  ]
  return { forward: commented(lines, forward) }
}

/** Where a client connects to: `http://host`, `https://host:port/path`, `host:port`. */
const serverOf = (source: string): URL => {
  const whole = /^[a-z]+:\/\//i.test(source) ? source : `http://${source}`
  if (!URL.canParse(whole)) throw usage(`"${source}" is not the address of a server`)
  return new URL(whole)
}

/** Reads the arguments of `chisel client`. */
export const importChiselClient = (args: readonly string[], draft: Draft): void => {
  const { flags, rest } = readFlags(args, clientFlags)
  const [server, ...remotes] = rest
  if (server === undefined) throw usage('the client has no server')
  const url = serverOf(server)
  const secure = url.protocol === 'https:' || url.protocol === 'wss:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const connect: Record<string, unknown> = {
    transport: 'wss',
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  }
  draft.notes.push({
    key: server,
    outcome: secure ? 'same' : 'changed',
    text: `client.connect${secure ? '' : `. ${encrypted}`}`
  })
  const headers = Object.fromEntries(
    ((flags['header'] ?? []) as string[]).map((line) => {
      const [name = '', value = ''] = line.split(/:\s*(.*)/s)
      return [name.trim(), value]
    })
  )
  if (flags['hostname'] !== undefined) headers['Host'] = String(flags['hostname'])
  if (Object.keys(headers).length > 0) connect['headers'] = headers
  if (flags['proxy'] !== undefined)
    connect['proxy'] = draft.secret(
      'RYSTRA_PROXY',
      String(flags['proxy']),
      'Proxy to dial through; it may hold a password.'
    )
  const fields = { sni: 'serverName', 'tls-ca': 'ca', 'tls-cert': 'cert', 'tls-key': 'key' }
  for (const [name, field] of Object.entries(fields)) if (flags[name] !== undefined) connect[field] = flags[name]
  if (!secure && connect['ca'] === undefined)
    connect['fingerprint'] = draft.unknown(
      'RYSTRA_FINGERPRINT',
      'Fingerprint of the server, as `rystra serve` prints it: sha256:…'
    )
  const options =
    flags['keepalive'] === undefined ? {} : { pingInterval: goDuration(String(flags['keepalive']), 'keepalive') }
  draft.extension('@rystra/transport-ws', options)
  const password = String(flags['auth'] ?? '').split(/:(.*)/s)[1]
  draft.extension('@rystra/auth-token', {
    token:
      password === undefined
        ? draft.unknown('RYSTRA_TOKEN', 'The token of the server.')
        : draft.secret('RYSTRA_TOKEN', password, 'The token of this client: the password of chisel.')
  })
  if (flags['verbose'] === true) draft.log = { level: 'debug' }
  const taken = new Set<string>()
  const results = remotes.map((remote) => importRemote(remote, draft, taken))
  const forwards = results.flatMap(({ forward }) => (forward === undefined ? [] : [forward]))
  const reconnect: Record<string, unknown> = {}
  const count = Number(flags['max-retry-count'] ?? -1)
  if (count >= 0) reconnect['attempts'] = Math.max(1, count)
  if (flags['max-retry-interval'] !== undefined)
    reconnect['max'] = goDuration(String(flags['max-retry-interval']), 'max-retry-interval')
  draft.client = {
    connect,
    ...(Object.keys(reconnect).length === 0 ? {} : { reconnect }),
    proxies: results.flatMap(({ proxy }) => (proxy === undefined ? [] : [proxy])),
    ...(forwards.length === 0 ? {} : { forwards })
  }
  noteFlags(
    flags,
    {
      auth: 'token of @rystra/auth-token: the password is the token, as ${RYSTRA_TOKEN}',
      keepalive: 'pingInterval of @rystra/transport-ws',
      'max-retry-count': 'client.reconnect.attempts',
      'max-retry-interval': 'client.reconnect.max',
      proxy: 'client.connect.proxy, as ${RYSTRA_PROXY}',
      header: 'client.connect.headers',
      hostname: 'client.connect.headers.Host',
      sni: 'client.connect.serverName',
      'tls-ca': 'client.connect.ca',
      'tls-cert': 'client.connect.cert',
      'tls-key': 'client.connect.key',
      verbose: 'log.level debug'
    },
    draft.notes
  )
}
