import { type HeaderField, RystraError } from '@rystra/plugin'
import { BlockList, isIP, isIPv6 } from 'node:net'

/** Fields that tell who came; those of visitors are dropped unless they are trusted. With `_` for `-` they mean the same to CGI. */
const told = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip'
])

/** Whether a field, its name in lower case, tells who came. */
export const tellsWho = (name: string): boolean =>
  told.has(name) || (name.includes('_') && told.has(name.replaceAll('_', '-')))

/** Addresses of one Forwarded header that are looked at: more are not believed. */
const LONGEST = 64

/** Reverse proxies in front of the server, whose word is taken. */
export class TrustedProxies {
  readonly #list = new BlockList()
  readonly #any: boolean

  /** Throws `config.invalid` for what is neither an address nor a network. */
  constructor(entries: readonly string[]) {
    this.#any = entries.length > 0
    for (const entry of entries) {
      const [address = '', prefix, ...more] = entry.split('/')
      try {
        if (isIP(address) === 0 || more.length > 0) throw new RangeError('no address')
        if (prefix === undefined) this.#list.addAddress(address, familyOf(address))
        else if (/^\d{1,3}$/.test(prefix)) this.#list.addSubnet(address, Number(prefix), familyOf(address))
        else throw new RangeError('no prefix')
      } catch (cause) {
        const detail = `trustedProxies: "${entry}" is neither an address nor a network such as 10.0.0.0/8`
        throw new RystraError('config.invalid', { detail, cause })
      }
    }
  }

  has(address: string): boolean {
    return this.#any && isIP(address) !== 0 && this.#list.check(address, familyOf(address))
  }

  /** Who came, as the trusted say: the last address of the chain that is not one of theirs. */
  clientOf(address: string, forwardedFor: string | undefined): string {
    if (forwardedFor === undefined) return address
    let found = address
    for (const entry of forwardedFor.split(',').slice(-LONGEST).reverse()) {
      const next = bare(entry.trim())
      if (isIP(next) === 0) break
      found = next
      if (!this.has(next)) break
    }
    return found
  }
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4')

/** Without brackets and port. */
const bare = (entry: string): string =>
  /^\[([^\]]+)\](:\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry

/** An IPv4 address that was written as an IPv6 one, RFC 4291 §2.5.5.2, is written as what it is. */
export const plainAddress = (address: string): string =>
  address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address

/** What a trusted proxy said. */
export interface Before {
  readonly for?: string | undefined
  readonly forwarded?: string | undefined
  readonly proto?: string | undefined
  readonly host?: string | undefined
}

/** The fields that tell the service who came. */
export const forwardedFields = (address: string, host: string, secure: boolean, before: Before = {}): HeaderField[] => {
  const proto = before.proto ?? (secure ? 'https' : 'http')
  const asked = before.host ?? host
  const node = isIPv6(address) ? `"[${address}]"` : isIP(address) === 4 ? address : 'unknown'
  const element = `for=${node};host="${asked.replace(/["\\]/g, '')}";proto=${secure ? 'https' : 'http'}`
  return [
    ['X-Forwarded-For', before.for === undefined ? address : `${before.for}, ${address}`],
    ['X-Forwarded-Proto', proto],
    ['X-Forwarded-Host', asked],
    ['Forwarded', before.forwarded === undefined ? element : `${before.forwarded}, ${element}`]
  ]
}

/** A protocol that a trusted proxy names, if it is one of ours. */
export const protoOf = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : /^(https?|wss?)$/i.exec(value.split(',')[0]?.trim() ?? '')?.[0]?.toLowerCase()
