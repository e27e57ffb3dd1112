import type { Draft } from './draft.js'
import type { Table } from './table.js'

/** Reasons that both ends of frp share, by key. */
export const frpReasons: Readonly<Record<string, string>> = {
  'log.to': 'the log goes to stderr; systemd or a redirection keeps it',
  'log.maxDays': 'the log goes to stderr; the journal or logrotate rotates it',
  'log.disablePrintColor': 'colours are used on a terminal only; `log.pretty: false` disables them',
  'auth.additionalScopes': 'the handshake proves the token once, bound to its session',
  'auth.oidc': 'see @rystra/auth-jwt: issuer, audience and keys at the server, a token or file at the client',
  'auth.tokenSource': 'see `file` of @rystra/auth-token',
  'transport.tcpMuxKeepaliveInterval': 'heartbeats find dead sessions: `server.heartbeat`',
  'transport.quic': 'see the options of @rystra/transport-quic',
  featureGates: 'no equivalent is needed',
  virtualNet: 'no layer 3 network',
  udpPacketSize: 'datagrams of up to 65,507 bytes pass as they are',
  metadatas: 'the identity of the token, and its `rights`, stand for metadata',
  annotations: 'there are no annotations'
}

/** The level of the log. */
export const importLog = (table: Table, draft: Draft): void => {
  const level = table.string('log.level')
  if (level === undefined) return
  if (['trace', 'debug', 'info', 'warn', 'error'].includes(level)) {
    draft.log = { level }
    table.same('log.level', 'log.level')
  } else table.note('log.level', 'none', `no level "${level}"; the default is info`)
}

/** The token of `auth`; undefined without one. */
export const importToken = (table: Table, draft: Draft, role: 'server' | 'client'): string | undefined => {
  const method = table.string('auth.method') ?? 'token'
  if (method !== 'token') {
    table.note('auth.method', 'none', frpReasons['auth.oidc'] as string)
    return undefined
  }
  table.same('auth.method', '@rystra/auth-token')
  const file = table.text('auth.tokenSource.file.path')
  if (file !== undefined) {
    draft.extension('@rystra/auth-token', { file })
    table.same('auth.tokenSource.type', '@rystra/auth-token')
    table.same('auth.tokenSource.file.path', 'file of @rystra/auth-token')
    return file
  }
  const token = table.text('auth.token')
  if (token === undefined) return undefined
  const comment = role === 'server' ? 'The token of frps.' : 'The token of frpc; the server has to have the same.'
  const value = draft.secret('RYSTRA_TOKEN', token, comment)
  draft.extension('@rystra/auth-token', { token: value })
  table.same('auth.token', `token of @rystra/auth-token, as ${value}`)
  if (token.length < 16) draft.extension('@rystra/auth-token', {}, ['Shorter than 16 characters: use a longer token.'])
  return value
}

/** `1MB` of frp is 2^20 bytes, `1MiB` here. */
export const frpBandwidth = (text: string): string => text.replace(/^(\d+(?:\.\d+)?)\s*(K|M)B$/i, '$1$2iB')
