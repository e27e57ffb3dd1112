import type { HeaderField } from '@rystra/plugin'
import { isIP, isIPv6 } from 'node:net'

/** Fields that tell who came; those of visitors are dropped unless they are trusted. With `_` for `-` they mean the same to CGI. */
const forwardedNames = new Set([
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
export const isForwardedField = (name: string): boolean =>
  forwardedNames.has(name) || (name.includes('_') && forwardedNames.has(name.replaceAll('_', '-')))

/** What a trusted proxy said. */
export interface Before {
  readonly for?: string | undefined
  readonly forwarded?: string | undefined
  readonly proto?: string | undefined
  readonly host?: string | undefined
}

/** The fields with the address of the visitor for the service. */
export const forwardedFields = (address: string, host: string, secure: boolean, before: Before = {}): HeaderField[] => {
  const proto = before.proto ?? (secure ? 'https' : 'http')
  const visitedHost = before.host ?? host
  const node = isIPv6(address) ? `"[${address}]"` : isIP(address) === 4 ? address : 'unknown'
  const element = `for=${node};host="${visitedHost.replace(/["\\]/g, '')}";proto=${secure ? 'https' : 'http'}`
  return [
    ['X-Forwarded-For', before.for === undefined ? address : `${before.for}, ${address}`],
    ['X-Forwarded-Proto', proto],
    ['X-Forwarded-Host', visitedHost],
    ['Forwarded', before.forwarded === undefined ? element : `${before.forwarded}, ${element}`]
  ]
}

/** A protocol that a trusted proxy names, if it is one of ours. */
export const protoOf = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : /^(https?|wss?)$/i.exec(value.split(',')[0]?.trim() ?? '')?.[0]?.toLowerCase()
