import type { DialOptions } from '@rystra/plugin'

/**
 * For `provesServer` of a transport with TLS: with a pin, an authority of one's own or a fixed server name no other server
 * than the expected ones passes, whatever address is dialed.
 */
export const provesServer = ({ fingerprint, ca, serverName }: DialOptions): boolean =>
  fingerprint !== undefined || ca !== undefined || serverName !== undefined
