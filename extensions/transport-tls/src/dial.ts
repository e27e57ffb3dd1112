import { dialTcp } from '@rystra/net'
import { type ByteLink, type Clock, type DialOptions, RystraError } from '@rystra/plugin'
import { type ClientTlsOptions, connectTls, type TlsDialer, tlsFacts } from '@rystra/tls'
import { ALPN, linkOf } from './link.js'
import type { TlsTransportOptions } from './options.js'

interface Dialing {
  readonly to: DialOptions & ClientTlsOptions
  readonly options: TlsTransportOptions
  readonly dialer: TlsDialer
  readonly clock: Clock
}

/** Connects, and verifies the server. */
export const dialTls = async ({ to, options, dialer, clock }: Dialing, signal: AbortSignal): Promise<ByteLink> => {
  const tls = await dialer.trust(to, to.host)
  const socket = await dialTcp({ ...to, keepAlive: options.keepAlive }, signal)
  const where = `tls ${to.host}:${to.port}`
  const timeout = { ms: options.handshakeTimeout, clock }
  const secure = await connectTls(tls, { socket, alpn: [ALPN], where, timeout }, signal)
  if (secure.alpnProtocol !== ALPN) {
    secure.on('error', () => {}).destroy()
    throw new RystraError('tls.handshake', {
      side: 'server',
      detail: `${where}, this transport is not served on this port (ALPN)`
    })
  }
  return linkOf(secure, tlsFacts(secure))
}
