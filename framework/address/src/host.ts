import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

const MAX_HOST = 253
/** What the URL parser behind `domainToASCII` would cut off, drop or decode. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notInNames = /[\u0000- \u007f#%/:<>?@[\\\]^|]/
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * A host name in the one form in which hosts are compared and sent: ASCII (IDNA), lower case, without the dot of the root.
 * `undefined` for text that is not a host name: an address, an empty label, control characters, U+202E, a number at the
 * end. Wildcards are not names: take `*.` away first.
 */
export const asciiHost = (text: string): string | undefined => {
  if (notInNames.test(text)) return undefined
  const name = domainToASCII(text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (name === '' || name.length > MAX_HOST || isIP(name) !== 0) return undefined
  const labels = name.split('.')
  return labels.every((one) => label.test(one)) && !/^\d+$/.test(labels.at(-1) as string) ? name : undefined
}

/** The same for `*.example.org`, which stands for all names below. */
export const asciiHostPattern = (text: string): string | undefined => {
  const wildcard = text.startsWith('*.') ? '*.' : ''
  const name = asciiHost(text.slice(wildcard.length))
  return name === undefined ? undefined : wildcard + name
}

/** Whether text can be dialed or bound: a host name, or an IP address without brackets. */
export const isHost = (text: string): boolean => isIP(text) !== 0 || asciiHost(text) !== undefined

/** `host:port`, as in URLs: an IPv6 address stands in brackets. */
export const hostPort = (host: string, port: number | string): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/** An address as it is shown: its name where it has one, otherwise `host:port`. */
export const addressText = ({ host, port, name }: { host: string; port: number; name?: string }): string =>
  name ?? hostPort(host, port)

/** A peer as it is shown: `host:port`, or its address alone on a transport without ports. */
export const peerText = ({ address, port }: { address: string; port: number }): string =>
  port === 0 ? address : hostPort(address, port)
