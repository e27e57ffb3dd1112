import { isHost } from '@rystra/address'
import type { ConnectConfig, ResolvedClient } from '@rystra/config'
import type { Address } from '@rystra/model'
import type { Registries } from '@rystra/plugin'
import { isDeepStrictEqual } from 'node:util'
import { type KnownServer, knownServer, onlyServer } from './known-server.js'
import { sameServer } from './options.js'

/** Those that a configuration lists itself. */
export const configuredServers = (connect: ConnectConfig): KnownServer[] => {
  const { port: common = 0, servers } = connect
  if (servers === undefined) {
    const only = onlyServer(connect)
    return only === undefined ? [] : [only]
  }
  return servers.map((entry) => {
    const { host, port = common, ...fields } = entry as Address & { readonly [field: string]: unknown }
    return knownServer(connect, { host, port }, fields)
  })
}

/**
 * Whether a client may go to an address that it was told of by a server or a DNS record: one that its configuration names,
 * one in the domain of `srv`, or any where the transport proves the server by a pin, an authority or a fixed name.
 */
export const mayGo = (address: Address, connect: ConnectConfig, { transports }: Registries): boolean => {
  if (!isHost(address.host) || address.port === 0) return false
  const server = knownServer(connect, address)
  if (configuredServers(connect).some(({ name }) => name === server.name)) return true
  const domain = connect.srv
    ?.replace(/^_[^.]+\._[^.]+\./, '')
    .replace(/\.$/, '')
    .toLowerCase()
  const host = address.host.toLowerCase()
  if (domain !== undefined && (host === domain || host.endsWith(`.${domain}`))) return true
  return transports.get(server.options.transport).provesServer?.(server.options) === true
}

/** The servers to which another one points, without those where the client may not go. */
export const alternativesOf = (
  addresses: readonly Address[],
  connect: ConnectConfig,
  registries: Registries
): readonly KnownServer[] => {
  const own = configuredServers(connect)
  return addresses
    .filter((address) => mayGo(address, connect, registries))
    .map((address) => knownServer(connect, address))
    .map((server) => own.find(({ name }) => name === server.name) ?? server)
}

/** Whether a session stays with its server when the second configuration takes the place of the first. */
export const staysWith = ({ name, options }: KnownServer, before: ResolvedClient, next: ResolvedClient): boolean => {
  if (sameServer(before, next)) return true
  const isSame = (one: KnownServer): boolean => one.name === name && isDeepStrictEqual(one.options, options)
  return before.id === next.id && configuredServers(next.connect).some(isSame)
}
