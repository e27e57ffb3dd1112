import { hostPort, plainAddress } from '@rystra/address'
import type { ConnectConfig } from '@rystra/config'
import type { Address } from '@rystra/model'
import type { DialOptions } from '@rystra/plugin'

/** A server that the client may dial. */
export interface KnownServer {
  /** `host:port`, or an address of another form: the same for the same address. */
  readonly name: string
  readonly options: DialOptions
  /** Lower ones are tried first. */
  readonly priority: number
}

/** The fields of `client.connect` that every server gets. */
const commonOptions = ({ servers: _, srv: __, discover: ___, ...rest }: ConnectConfig): object => rest

/** @param fields Those of the entry itself */
export const knownServer = (
  connect: ConnectConfig,
  address: Address,
  fields: object = {},
  priority = 0
): KnownServer => {
  const { host, port } = address
  const options = { ...commonOptions(connect), ...fields, host, port } as DialOptions
  return { name: serverName(address), options, priority }
}

/** How a server is named in logs, events and messages. */
const serverName = ({ host, port, name }: Address): string => name ?? hostPort(plainAddress(host), port)

/** The one server of a configuration that names no others: by host and port, or by an address of another form. */
export const onlyServer = (connect: ConnectConfig): KnownServer | undefined => {
  const { host, port = 0, address } = connect
  if (address !== undefined) return knownServer(connect, { host: '', port: 0, name: address })
  return host === undefined ? undefined : knownServer(connect, { host, port })
}
