import { RystraError } from '@rystra/plugin'

/** An address as the binding wants it: an IP, never a name, for it would be looked up while everything waits. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Where a packet came from, and to which of our addresses. */
export interface Path {
  readonly from: HostPort
  readonly to: HostPort
}

/** Settings of connections. One may make many. */
export interface QuicheConfig {
  verifyPeer(verify: boolean): void
  setTicketKey(key: Uint8Array): void
  enableEarlyData(): void
  setApplicationProtos(protocols: string[]): void
  setMaxIdleTimeout(ms: number): void
  setMaxRecvUdpPayloadSize(bytes: number): void
  setMaxSendUdpPayloadSize(bytes: number): void
  setInitialMaxData(bytes: number): void
  setInitialMaxStreamDataBidiLocal(bytes: number): void
  setInitialMaxStreamDataBidiRemote(bytes: number): void
  setInitialMaxStreamDataUni(bytes: number): void
  setInitialMaxStreamsBidi(count: number): void
  setInitialMaxStreamsUni(count: number): void
  setActiveConnectionIdLimit(count: number): void
  setDisableActiveMigration(disabled: boolean): void
  setCcAlgorithmName(name: string): void
  enablePacing(enabled: boolean): void
  enableDgram(enabled: boolean, receiveQueue: number, sendQueue: number): void
  setMaxStreamWindow(bytes: number): void
  setMaxConnectionWindow(bytes: number): void
}

/** Why a connection was closed. `errorCode` of QUIC's own: RFC 9000 section 20.1; 0x100 and more are TLS alerts. */
export interface QuicheClose {
  readonly isApp: boolean
  readonly errorCode: number
  readonly reason: Uint8Array
}

/** The state machine of one connection; it never touches a socket or a clock. `null` means that there is nothing to do. */
export interface QuicheConnection {
  setSession(ticket: Uint8Array): void
  /** Overwrites `packet`. Throws what the other side did wrong; the connection is closing then. */
  recv(packet: Uint8Array, path: Path): number
  send(packet: Uint8Array): [length: number, path: Path] | null
  /** Throws `StreamReset(code)`. */
  streamRecv(id: number, into: Uint8Array): [length: number, end: boolean] | null
  /** How many bytes were taken. Throws `StreamStopped(code)`, `StreamLimit` or `InvalidStreamState(id)`. */
  streamSend(id: number, bytes: Uint8Array, end: boolean): number | null
  streamShutdown(id: number, direction: 0 | 1, code: number): unknown
  /** Throws `StreamStopped(code)`, also for a stream on which nothing is being sent. */
  streamCapacity(id: number): number
  peerStreamsLeftBidi(): number
  /** Ids of streams that have bytes, an end or a reset to read. */
  readable(): Iterable<number>
  /** Ids of streams that can take bytes, or were stopped. */
  writable(): Iterable<number>
  isReadable(): boolean
  dgramRecvVec(): Uint8Array | null
  dgramSendVec(message: Uint8Array): unknown
  isDgramSendQueueFull(): boolean
  dgramMaxWritableLen(): number | null
  dgramSendQueueLen(): number
  dgramPurgeOutgoing(which: (message: Uint8Array) => boolean): void
  /** Milliseconds until {@link onTimeout} has to be called. */
  timeout(): number | null
  onTimeout(): void
  sendAckEliciting(): void
  /** Counts packets that were good. */
  stats(): { readonly recv: number }
  close(app: boolean, code: number, reason: Uint8Array): unknown
  applicationProto(): Uint8Array
  serverName(): string | null
  /** DER, the leaf first. There also after it was not accepted. */
  peerCertChain(): Uint8Array[] | null
  session(): Uint8Array | null
  isEstablished(): boolean
  isResumed(): boolean
  isInEarlyData(): boolean
  isDraining(): boolean
  isClosed(): boolean
  isTimedOut(): boolean
  peerError(): QuicheClose | null
  localError(): QuicheClose | null
}

/** What can be read of a packet without keys. */
export interface QuicheHeader {
  readonly ty: number
  readonly version: number
  readonly dcid: Uint8Array
  readonly scid: Uint8Array
  readonly token?: Uint8Array | null
}

/** As much of quiche as is used here. Whatever takes its place has to look like this. */
export interface Quiche {
  readonly Config: {
    withBoringSslCtx(
      verifyPeer: boolean,
      verifyAllowFail: boolean,
      ca: Uint8Array | null,
      keys: Uint8Array[] | null,
      certs: Uint8Array[] | null,
      signatures: string | null
    ): QuicheConfig
  }
  readonly Connection: {
    connect(
      name: string | null,
      id: Uint8Array,
      local: HostPort,
      remote: HostPort,
      config: QuicheConfig
    ): QuicheConnection
    accept(
      id: Uint8Array,
      originalId: Uint8Array | null,
      local: HostPort,
      remote: HostPort,
      config: QuicheConfig
    ): QuicheConnection
  }
  readonly Header: { fromSlice(packet: Uint8Array, idLength: number): QuicheHeader }
  retry(
    scid: Uint8Array,
    dcid: Uint8Array,
    newScid: Uint8Array,
    token: Uint8Array,
    version: number,
    into: Uint8Array
  ): number
  negotiateVersion(scid: Uint8Array, dcid: Uint8Array, into: Uint8Array): number
}

/** QUIC version 1, RFC 9000. */
export const VERSION = 1

/** Types of packets with a long header. */
export const INITIAL = 0

/** Halves of a stream. */
export const READ = 0
export const WRITE = 1

let loaded: Promise<Quiche> | undefined

const fromPackage = async (): Promise<Quiche> =>
  (await import('@matrixai/quic/native/quiche.js')).default as unknown as Quiche

/** Loads the binary when it is first needed. Rejects with `transport.unsupported` where there is none. */
export const loadQuiche = (load: () => Promise<Quiche> = fromPackage): Promise<Quiche> => {
  if (load === fromPackage && loaded !== undefined) return loaded
  const loading = load().catch((cause: unknown) => {
    throw new RystraError('transport.unsupported', {
      detail: `quic has no prebuilt binary for ${process.platform} on ${process.arch}`,
      cause
    })
  })
  if (load === fromPackage) loaded = loading
  return loading
}
