/** What a server announces of itself. */
export interface Announcement {
  /** Name under which it is looked for: 1 to 63 bytes of UTF-8, no control characters. Several servers may have one. */
  readonly name: string
  /** Name of a transport: `tls`. */
  readonly transport: string
  readonly port: number
  /** Fingerprint of its certificate, to choose among several servers. It is not proven. @default none */
  readonly fingerprint?: string
}

/**
 * A server that was found. Any host of the network can answer, so none of this is proven: whether it is the right server is
 * decided by pins, trust and authentication when it is dialed.
 */
export interface FoundServer extends Announcement {
  /** IP address. */
  readonly host: string
}

/** Finds servers on a network, and announces them. `registries.discoveries` */
export interface Discovery {
  readonly name: string
  /**
   * Resolves when the server is announced, which goes on until the signal aborts. Rejects with `discovery.invalid` or
   * `discovery.unavailable`.
   */
  announce?(announcement: Announcement, signal: AbortSignal): Promise<void>
  /** Servers of a name as they answer, each once, until the signal aborts. Fails with `discovery.invalid` or `discovery.unavailable`. */
  find?(name: string, signal: AbortSignal): AsyncIterable<FoundServer>
}

const MAX_NAME_BYTES = 63
const MAX_FINGERPRINT = 128

/** Whether servers can be announced and found under a name. */
export const isDiscoveryName = (name: unknown): name is string =>
  typeof name === 'string' &&
  name !== '' &&
  Buffer.byteLength(name) <= MAX_NAME_BYTES &&
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  !/[\u0000-\u001f\u007f-\u009f]/.test(name)

/** What is wrong with an announcement, one's own or one received. `undefined` if nothing is. */
export const announcementProblem = ({ name, transport, port, fingerprint }: Announcement): string | undefined => {
  if (!isDiscoveryName(name)) return `name: expected 1 to ${MAX_NAME_BYTES} bytes without control characters`
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(transport)) return 'transport: expected the name of a transport'
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return 'port: expected a port from 1 to 65535'
  if (fingerprint !== undefined && (fingerprint.length > MAX_FINGERPRINT || !/^[\x21-\x7e]+$/.test(fingerprint)))
    return `fingerprint: expected 1 to ${MAX_FINGERPRINT} printable characters`
  return undefined
}
