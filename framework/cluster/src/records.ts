import {
  type Address,
  identityFault,
  type DirectoryMember,
  type DirectoryRow,
  type ProxySpec,
  type SessionInfo
} from '@rystra/plugin'
import { createHash } from 'node:crypto'
import type { PeerAddress } from './peer-options.js'

/** A proxy as the other servers know it. */
export interface ProxyRecord {
  readonly spec: ProxySpec
  readonly session: SessionInfo
  readonly address: string
  readonly healthy: boolean
  /** Bound for it, in the order in which its kind asked for them. */
  readonly ports: readonly number[]
}

/** The holder of a key. */
export interface ClaimRecord {
  readonly session: string
  readonly client: string
  readonly proxy: string
}

const PROXY = 'proxy '
const CLAIM = 'claim '
const CLIENT = 'client '

export const proxyKey = (id: string): string => `${PROXY}${id}`
export const claimKey = (key: string): string => `${CLAIM}${key}`
export const clientKey = ({ identity, client }: Pick<SessionInfo, 'identity' | 'client'>): string =>
  `${CLIENT}${JSON.stringify([identity.id, client.id])}`

export const isClaimKey = (key: string): boolean => key.startsWith(CLAIM)
export const isClientKey = (key: string): boolean => key.startsWith(CLIENT)

type Fields = Readonly<Record<string, unknown>>

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const isAddress = (value: unknown): boolean => {
  const { address, port } = fields(value)
  return isText(address) && Number.isInteger(port)
}

const isPorts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((port) => Number.isInteger(port) && port > 0 && port < 65_536)

const isSession = (value: unknown): value is SessionInfo => {
  const { id, identity, client, peer, transport, muxer, since } = fields(value)
  const { id: identityId } = fields(identity)
  const { id: clientId, instance, agent } = fields(client)
  const texts = [id, clientId, instance, agent, transport, muxer]
  return (
    texts.every(isText) &&
    isText(identityId) &&
    identityFault(identityId) === undefined &&
    isAddress(peer) &&
    Number.isFinite(since)
  )
}

/**
 * The proxy of a row; `undefined` for a row that is about something else. Throws a `TypeError` for one that contradicts
 * itself, as rows do that were written into the engine by hand.
 */
export const proxyRecordOf = ({ key, owner, value }: DirectoryRow): ProxyRecord | undefined => {
  if (!key.startsWith(PROXY)) return undefined
  const { spec, session, address, healthy, ports } = fields(value)
  const { name, kind } = fields(spec)
  const whole = isText(name) && isText(kind) && isText(address) && typeof healthy === 'boolean' && isPorts(ports)
  if (!whole || !isSession(session) || session.identity.id !== owner || key !== proxyKey(`${session.id}.${name}`)) {
    throw new TypeError(`row ${key}: not the record of a proxy`)
  }
  return { spec: spec as ProxySpec, session, address, healthy, ports }
}

/** What can be said of a claim; nothing where it cannot be understood: then it is one that cannot be dislodged. */
export const claimRecordOf = ({ value }: Pick<DirectoryRow, 'value'>): ClaimRecord | undefined => {
  const { session, client, proxy } = fields(value)
  return isText(session) && isText(client) && isText(proxy) ? { session, client, proxy } : undefined
}

/**
 * The session of a row; `undefined` for a row that is about something else, or says nothing. Throws a `TypeError` for one that
 * contradicts itself.
 */
export const sessionOf = ({ key, id, owner, value }: DirectoryRow): SessionInfo | undefined => {
  if (!isClientKey(key) || value === undefined) return undefined
  if (isSession(value) && value.id === id && value.identity.id === owner && key === clientKey(value)) return value
  throw new TypeError(`row ${key}: not the record of a session`)
}

/** Where the other servers reach a member, if it says so. */
export const addressOf = ({ name, value }: DirectoryMember): PeerAddress | undefined => {
  const { host, port } = fields(value)
  return isText(host) && isPorts([port]) ? { name, host, port: port as number } : undefined
}

/** Where clients reach a member, if it says so. */
export const publicOf = ({ value }: DirectoryMember): Address | undefined => {
  const { public: text } = fields(value)
  const [, host, port] = /^\[?([^\s/\]]+)\]?:(\d{1,5})$/.exec(String(text)) ?? []
  return host === undefined || !isPorts([Number(port)]) ? undefined : { host, port: Number(port) }
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)])
  )
}

/**
 * Tells one spec from another. A forwarded stream names it, so that a row which was changed in the engine cannot lead
 * visitors of one host to the proxy of another.
 */
export const specHash = (spec: ProxySpec): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(spec)))
    .digest('base64url')
    .slice(0, 22)

/** What of a session is for other servers: no certificate, and nothing that JSON cannot say. */
export const sharedSession = ({ peer: { address, port }, ...session }: SessionInfo): SessionInfo => ({
  ...session,
  peer: { address, port }
})
