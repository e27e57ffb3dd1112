import { BlockList, isIP } from 'node:net'

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

const bare = (host: string): string =>
  host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()

/** An entry with a port, `name:8080` or `[::1]:8080`; a bare IPv6 address has none. */
const split = (entry: string): { readonly what: string; readonly port: number | undefined } => {
  const [, what, port] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? []
  return what === undefined ? { what: bare(entry), port: undefined } : { what: bare(what), port: Number(port) }
}

const inSubnet = (address: string, entry: string): boolean => {
  const [net = '', bits = ''] = entry.split('/')
  const size = isIP(net) === 6 ? 128 : 32
  if (isIP(net) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > size) return false
  const list = new BlockList()
  list.addSubnet(net, Number(bits), familyOf(net))
  return list.check(address, familyOf(address))
}

const sameAddress = (address: string, entry: string): boolean => {
  const list = new BlockList()
  list.addAddress(entry, familyOf(entry))
  return list.check(address, familyOf(address))
}

const covers = (entry: string, host: string, port: number): boolean => {
  if (entry === '*') return true
  if (isIP(host) !== 0 && entry.includes('/')) return inSubnet(host, entry.replace(/^\[(.*)\]/, '$1'))
  const { what, port: only } = split(entry)
  if (only !== undefined && only !== port) return false
  if (isIP(host) !== 0) return isIP(what) !== 0 && sameAddress(host, what)
  const name = what.replace(/^\*?\.+/, '')
  return name !== '' && (host === name || host.endsWith(`.${name}`))
}

/**
 * Whether NO_PROXY says that `host:port` is dialed directly. Entries are separated by commas or spaces, and read as curl
 * reads them: `*` is everything, a name covers itself and what is below it, with a leading dot or without, an address
 * may have a prefix length. An entry may have a port too. A name is not resolved for it.
 */
export const withoutProxy = (list: string, host: string, port: number): boolean =>
  list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== '' && covers(entry, bare(host), port))
