import { addressText, formatEndpoint, parseEndpoint } from '@rystra/address'
import { RystraError } from '@rystra/model'

/** Where a server is, and how it is reached. */
export interface ServerAddress {
  readonly transport: string
  readonly host: string
  readonly port: number
}

/** The transport and the port of a server that names none. */
const defaultTransport = 'tcp'
export const defaultPort = 7000

/**
 * Reads `[transport://]host[:port]`. `::1:7150` is ambiguous, and answered with `[::1]:7150`. Throws `usage.invalid`.
 */
export const parseServerAddress = (text: string, flag = '--to'): ServerAddress => {
  const forms = { scheme: true, defaultPort }
  const { scheme = defaultTransport, host, port } = parseEndpoint(text, forms, { name: flag, code: 'usage.invalid' })
  return { transport: scheme, host, port }
}

/** One transport, and the servers that are reached by it. */
export interface ServerAddresses {
  readonly transport: string
  readonly servers: readonly Omit<ServerAddress, 'transport'>[]
}

/** Reads several, which have one transport. Throws `usage.invalid`. @param usual The transport where none is named */
export const parseServerAddresses = (
  texts: readonly string[],
  flag = '--to',
  usual = defaultTransport
): ServerAddresses => {
  const forms = { scheme: true, defaultPort }
  const all = texts.map((text) => parseEndpoint(text, forms, { name: flag, code: 'usage.invalid' }))
  const [transport = usual, ...others] = new Set(all.flatMap(({ scheme }) => scheme ?? []))
  if (others.length > 0)
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: `${flag}: expected one transport for all servers, got ${[transport, ...others].join(' and ')}`
    })
  return { transport, servers: all.map(({ host, port }) => ({ host, port })) }
}

/** The servers as fields of `client.connect`. */
export const connectFields = ({ transport, servers }: ServerAddresses) => {
  const [only, ...more] = servers
  if (only === undefined) throw new RystraError('usage.invalid', { side: 'client', detail: 'no server' })
  return more.length === 0 ? { transport, ...only } : { transport, servers: servers.map(formatAddress) }
}

/** Reads `[host:]port`, `[host:]first-last` or `unix:/path` into what `local` of a proxy takes. Throws `usage.invalid`. */
export const parseService = (text: string, kind = 'tcp'): string => {
  // A port alone is of this machine, by IPv4 or IPv6; of datagrams it is not known which is listened on.
  const defaultHost = kind === 'udp' ? '127.0.0.1' : 'localhost'
  const forms = { unix: true, range: true, defaultHost } as const
  return formatEndpoint(parseEndpoint(text, forms, { name: 'the service', code: 'usage.invalid' }))
}

/** `host:port`, with brackets around IPv6 addresses; the name of an address that has one. */
export const formatAddress = addressText

/** `transport://host:port`, as {@link parseServerAddress} reads it. */
export const formatServer = (server: ServerAddress): string => `${server.transport}://${formatAddress(server)}`

/** Whether a host stands for all addresses of the machine. */
export const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '*', ''].includes(host)
