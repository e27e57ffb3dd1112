import type { ServerAddress } from '../address.js'

export const roles = ['server', 'client', 'both'] as const
export type Role = (typeof roles)[number]

export const formats = ['yaml', 'json', 'toml', 'ts'] as const
export type Format = (typeof formats)[number]

/** What a new project is to be. */
export interface Plan {
  readonly role: Role
  readonly format: Format
  /** The server, as a client reaches it; for a server its transport and port. */
  readonly server: ServerAddress
  /** Further fields of `client.connect`: `fingerprint`. */
  readonly fields: Readonly<Record<string, string>>
  /** Extensions beside the token's: `@rystra/transport-tls`. */
  readonly packages: readonly string[]
  /** What the client publishes, `127.0.0.1:3000` for example. */
  readonly service: string
  /** The public port. */
  readonly port: number
}

/** Where a server listens: on everything, or, when its client is on the same machine, on that alone. */
export const listenHost = ({ role }: Plan): string => (role === 'both' ? '127.0.0.1' : '0.0.0.0')

/** Public ports that clients may ask for. */
export const publicPorts = '20000-29999'
