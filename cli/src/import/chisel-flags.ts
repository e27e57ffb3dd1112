import { RystraError } from '@rystra/model'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Note } from './note.js'

/** Flags of one command of chisel. */
export type Flags = Readonly<Record<string, string | string[] | boolean | undefined>>

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

export const serverFlags = {
  host: text,
  port: { ...text, short: 'p' },
  key: text,
  keygen: text,
  keyfile: text,
  authfile: text,
  auth: text,
  keepalive: text,
  backend: text,
  proxy: text,
  socks5: flag,
  reverse: flag,
  'tls-key': text,
  'tls-cert': text,
  'tls-domain': { ...text, multiple: true },
  'tls-ca': text,
  'ldap-config': text,
  pid: flag,
  verbose: { ...flag, short: 'v' }
} as const

export const clientFlags = {
  fingerprint: text,
  auth: text,
  keepalive: text,
  'max-retry-count': text,
  'max-retry-interval': text,
  proxy: text,
  header: { ...text, multiple: true },
  hostname: text,
  sni: text,
  'tls-ca': text,
  'tls-skip-verify': flag,
  'tls-key': text,
  'tls-cert': text,
  pid: flag,
  verbose: { ...flag, short: 'v' }
} as const

const reasons: Readonly<Record<string, string>> = {
  key: 'TLS stands for SSH: `cert` and `key` of server.listen',
  keyfile: 'TLS stands for SSH: `cert` and `key` of server.listen',
  keygen: 'a certificate is made at the first start; `rystra cert:server` makes others',
  authfile: 'list each user in `tokens` of @rystra/auth-token, and what it may publish in @rystra/hook-acl',
  socks5: 'no SOCKS server',
  'ldap-config': 'no LDAP: list each user in `tokens` of @rystra/auth-token, or see @rystra/auth-jwt',
  backend: '`fallback` of server.listen takes a server that speaks HTTP without TLS, by its host and port',
  proxy: '`fallback` of server.listen takes a server that speaks HTTP without TLS, by its host and port',
  'tls-domain': 'name `cert` and `key` in server.listen',
  pid: 'a service manager knows the process',
  fingerprint: 'the fingerprint of chisel is of an SSH key; the one of Rystra is of the certificate',
  'tls-skip-verify': 'the server is always verified: pin its `fingerprint`'
}

/** An error in the arguments. */
export const usage = (detail: string): RystraError =>
  new RystraError('usage.invalid', {
    detail: `chisel: ${detail}`,
    hint: 'give what follows the word chisel, in quotes'
  })

/** Flags, and what is not a flag. */
export const readFlags = (args: readonly string[], options: NonNullable<ParseArgsConfig['options']>) => {
  // Flags of Go may have one dash.
  const known = Object.keys(options)
  const dashed = args.map((arg) => {
    const name = /^-([a-z][\w-]+)(?:=|$)/.exec(arg)?.[1]
    return name !== undefined && known.includes(name) ? `-${arg}` : arg
  })
  try {
    const { values, positionals } = parseArgs({ args: dashed, options, allowPositionals: true })
    return { flags: values as Flags, rest: positionals }
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error))
  }
}

/** Notes every flag that is set, as one of those with an equivalent or as one without. */
export const noteFlags = (flags: Flags, became: Readonly<Record<string, string>>, notes: Note[]): void => {
  for (const name of Object.keys(flags)) {
    const same = became[name]
    notes.push({
      key: `--${name}`,
      outcome: same === undefined ? 'none' : 'same',
      text: same ?? reasons[name] ?? 'no equivalent'
    })
  }
}

/** Milliseconds of a duration of Go: `1m30s`. */
export const goDuration = (value: string, name: string): number => {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value))
    throw usage(`--${name}: expected a duration such as 25s, not "${value}"`)
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit as string] ?? 0), 0))
}

/** Why a transport changes. */
export const encrypted = 'chisel encrypts by SSH inside of HTTP; here TLS does, also where chisel has http://'
