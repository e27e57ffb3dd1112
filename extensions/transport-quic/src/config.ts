import type { ClientTls, ServerTls } from '@rystra/tls'
import tls from 'node:tls'
import type { Quiche, QuicheConfig } from './binding.js'
import { MAX_QUEUED } from './datagrams.js'
import type { QuicOptions } from './options.js'

/** The ALPN protocol, RFC 7301. */
const ALPN = 'rystra/1'

/**
 * The connection window is unlimited: in quiche 0.18 it starts again at 48 KiB and is not credited for data discarded
 * by resets, so that one stalled stream would stall all. Stream windows and `maxSessionBuffer` bound the memory.
 */
const UNLIMITED_BYTES = 2 ** 52

/** Window of the signal stream. */
const SIGNAL_WINDOW_BYTES = 64 * 1024

/** The legal minimum: migration is done without quiche, see `remote.ts`. */
const CONNECTION_IDS = 2

const common = (config: QuicheConfig, options: QuicOptions): QuicheConfig => {
  config.setApplicationProtos([ALPN])
  config.setMaxIdleTimeout(options.idleTimeout)
  config.setMaxRecvUdpPayloadSize(65_527)
  config.setMaxSendUdpPayloadSize(options.maxPacket)
  config.setInitialMaxData(UNLIMITED_BYTES)
  config.setMaxConnectionWindow(UNLIMITED_BYTES)
  config.setInitialMaxStreamDataBidiLocal(options.streamWindow)
  config.setInitialMaxStreamDataBidiRemote(options.streamWindow)
  config.setInitialMaxStreamDataUni(SIGNAL_WINDOW_BYTES)
  config.setMaxStreamWindow(options.maxWindow)
  config.setInitialMaxStreamsBidi(options.maxStreams)
  // The signal stream.
  config.setInitialMaxStreamsUni(1)
  config.setActiveConnectionIdLimit(CONNECTION_IDS)
  config.setDisableActiveMigration(true)
  config.setCcAlgorithmName(options.congestion)
  // quiche only suggests send times, and Node's timers are too coarse for them.
  config.enablePacing(false)
  config.enableDgram(true, MAX_QUEUED, MAX_QUEUED)
  return config
}

const bytes = (pem: string): Buffer => Buffer.from(pem)

/** Limits of streams that a client opens. */
const CLIENT_STREAMS = 1024
const CLIENT_WINDOW = 256 * 1024

/** Settings of accepted connections. `ticketKey` (48 bytes) encrypts session tickets. */
export const serverConfig = (
  quiche: Quiche,
  server: ServerTls,
  options: QuicOptions,
  ticketKey: Buffer
): QuicheConfig => {
  const { cert, key, clientCa } = server.pem
  const requested = server.clientCert !== 'none'
  const ca = requested && clientCa !== undefined ? bytes(clientCa) : null
  const config = quiche.Config.withBoringSslCtx(requested, false, ca, [bytes(key)], [bytes(cert)], null)
  if (server.clientCert === 'optional') config.verifyPeer(true)
  config.setTicketKey(ticketKey)
  // A certificate from a ticket proves nothing before the handshake is complete.
  if (options.earlyData && !requested) config.enableEarlyData()
  common(config, options)
  // The server opens the streams of visitors; a client opens one for control and one per visit. Each may hold a window
  // of memory that is not readable before its first byte and is counted nowhere.
  config.setInitialMaxStreamsBidi(Math.min(options.maxStreams, CLIENT_STREAMS))
  config.setInitialMaxStreamDataBidiRemote(Math.min(options.streamWindow, CLIENT_WINDOW))
  return config
}

type WithCertificates = typeof tls & { getCACertificates?(type: 'default'): string[] }

/** Node's authorities, with those of NODE_EXTRA_CA_CERTS where Node reports them. */
const roots = (): string =>
  ((tls as WithCertificates).getCACertificates?.('default') ?? tls.rootCertificates).join('\n')

/** Settings of dialed connections. Without a pin quiche verifies the chain, otherwise `checkCertificate` does. */
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
