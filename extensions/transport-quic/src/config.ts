import type { ClientTls, ServerTls } from '@rystra/tls'
import tls from 'node:tls'
import type { Quiche, QuicheConfig } from './binding.js'
import type { QuicOptions } from './options.js'

/** The protocol inside, RFC 7301. */
export const ALPN = 'rystra/1'

/**
 * The window of the whole connection never closes: in quiche 0.18 it begins at 48 KiB again and is not given back for
 * what a reset throws away, so that one visitor who stops reading would stop all others. Windows of streams and
 * `maxSessionBuffer` bound the memory.
 */
const NO_LIMIT = 2 ** 52

/** Bytes that may be on the way on the stream of signals. */
const SIGNALS = 64 * 1024

/** Messages that may wait in each direction. */
const DATAGRAMS = 1024

/** The least that is legal: addresses change without quiche, see `remote.ts`. */
const CONNECTION_IDS = 2

const common = (config: QuicheConfig, options: QuicOptions): QuicheConfig => {
  config.setApplicationProtos([ALPN])
  config.setMaxIdleTimeout(options.idleTimeout)
  config.setMaxRecvUdpPayloadSize(65_527)
  config.setMaxSendUdpPayloadSize(options.maxPacket)
  config.setInitialMaxData(NO_LIMIT)
  config.setMaxConnectionWindow(NO_LIMIT)
  config.setInitialMaxStreamDataBidiLocal(options.streamWindow)
  config.setInitialMaxStreamDataBidiRemote(options.streamWindow)
  config.setInitialMaxStreamDataUni(SIGNALS)
  config.setMaxStreamWindow(options.maxWindow)
  config.setInitialMaxStreamsBidi(options.maxStreams)
  // That of signals.
  config.setInitialMaxStreamsUni(1)
  config.setActiveConnectionIdLimit(CONNECTION_IDS)
  config.setDisableActiveMigration(true)
  config.setCcAlgorithmName(options.congestion)
  // It only says when a packet should leave, and a timer of Node is too coarse for that.
  config.enablePacing(false)
  config.enableDgram(true, DATAGRAMS, DATAGRAMS)
  return config
}

const bytes = (pem: string): Buffer => Buffer.from(pem)

/** Streams that a client may have open towards the server, and bytes on the way on a new one of them. */
const CLIENT_STREAMS = 1024
const CLIENT_WINDOW = 256 * 1024

/** Settings of connections that are accepted. `ticketKey` (48 bytes) is what they are resumed with. */
export const serverConfig = (
  quiche: Quiche,
  server: ServerTls,
  options: QuicOptions,
  ticketKey: Buffer
): QuicheConfig => {
  const { cert, key, clientCa } = server.pem
  const asks = server.clientCert !== 'none'
  const ca = asks && clientCa !== undefined ? bytes(clientCa) : null
  const config = quiche.Config.withBoringSslCtx(asks, false, ca, [bytes(key)], [bytes(cert)], null)
  if (server.clientCert === 'optional') config.verifyPeer(true)
  config.setTicketKey(ticketKey)
  // A certificate out of a ticket proves nothing before the handshake is done.
  if (options.earlyData && !asks) config.enableEarlyData()
  common(config, options)
  // Visitors are the server's to open; a client has one for control and one for each visit. Each may hold a window of memory
  // that is not readable for want of its first byte, and that nobody counts.
  config.setInitialMaxStreamsBidi(Math.min(options.maxStreams, CLIENT_STREAMS))
  config.setInitialMaxStreamDataBidiRemote(Math.min(options.streamWindow, CLIENT_WINDOW))
  return config
}

type WithCertificates = typeof tls & { getCACertificates?(type: 'default'): string[] }

/** The authorities of Node, with those of NODE_EXTRA_CA_CERTS where Node tells them. */
const roots = (): string =>
  ((tls as WithCertificates).getCACertificates?.('default') ?? tls.rootCertificates).join('\n')

/** Settings of a connection that is dialed. Without a pin quiche verifies the chain, otherwise `checkCertificate` does it all. */
export const clientConfig = (quiche: Quiche, client: ClientTls, options: QuicOptions): QuicheConfig => {
  const { ca, cert, key } = client.pem
  const chain = client.options.rejectUnauthorized !== false
  const config = quiche.Config.withBoringSslCtx(
    chain,
    false,
    chain ? bytes(ca ?? roots()) : null,
    key === undefined ? null : [bytes(key)],
    cert === undefined ? null : [bytes(cert)],
    null
  )
  if (options.earlyData) config.enableEarlyData()
  return common(config, options)
}
