import { RystraError } from '@rystra/plugin'

/** An IP address and port. Never a name: the binding would resolve it synchronously. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** The addresses of a packet. */
export interface Path {
  readonly from: HostPort
  readonly to: HostPort
}

/** Settings of connections. */
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

/** The reason of a close. `errorCode` of QUIC: RFC 9000 section 20.1; 0x100 and more are TLS alerts. */
export interface QuicheClose {
  readonly isApp: boolean
  readonly errorCode: number
  readonly reason: Uint8Array
}

/** The state machine of one connection, without sockets and timers. `null` means that there is nothing to do. */
export interface QuicheConnection {
  setSession(ticket: Uint8Array): void
  /** Overwrites `packet`. Throws for protocol violations; the connection is closing then. */
  recv(packet: Uint8Array, path: Path): number
  send(packet: Uint8Array): [length: number, path: Path] | null
  /** Throws `StreamReset(code)`. */
  streamRecv(id: number, into: Uint8Array): [length: number, end: boolean] | null
  /** Number of accepted bytes. Throws `StreamStopped(code)`, `StreamLimit` or `InvalidStreamState(id)`. */
  streamSend(id: number, bytes: Uint8Array, end: boolean): number | null
  streamShutdown(id: number, direction: 0 | 1, code: number): unknown
  /** Throws `StreamStopped(code)`, also for an idle stream. */
  streamCapacity(id: number): number
  peerStreamsLeftBidi(): number
  /** Ids of streams with bytes, an end or a reset to read. */
  readable(): Iterable<number>
  /** Ids of streams that accept bytes, or were stopped. */
  writable(): Iterable<number>
  isReadable(): boolean
  dgramRecvVec(): Uint8Array | null
  dgramSendVec(message: Uint8Array): unknown
  isDgramSendQueueFull(): boolean
  dgramMaxWritableLen(): number | null
  dgramSendQueueLen(): number
  dgramSendQueueByteSize(): number
  dgramPurgeOutgoing(which: (message: Uint8Array) => boolean): void
  /** Milliseconds until {@link onTimeout} has to be called. */
  timeout(): number | null
  onTimeout(): void
  sendAckEliciting(): void
  /** Counts valid packets, and those that were declared lost. */
  stats(): { readonly recv: number; readonly lost: number }
  close(app: boolean, code: number, reason: Uint8Array): unknown
  applicationProto(): Uint8Array
  serverName(): string | null
  /** DER, the leaf first. Present also if it was rejected. */
  peerCertChain(): Uint8Array[] | null
  session(): Uint8Array | null
  isEstablished(): boolean
  isInEarlyData(): boolean
  isDraining(): boolean
  isClosed(): boolean
  peerError(): QuicheClose | null
  localError(): QuicheClose | null
}

/** The part of quiche that this package uses. */
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
  retry(
    scid: Uint8Array,
    dcid: Uint8Array,
    newScid: Uint8Array,
    token: Uint8Array,
    version: number,
    into: Uint8Array
  ): number
}

/** Directions of a stream. */
export const READ = 0
export const WRITE = 1

let loaded: Promise<Quiche> | undefined

const fromPackage = async (): Promise<Quiche> =>
  (await import('@matrixai/quic/native/quiche.js')).default as unknown as Quiche

/** Loads the binary on first use. Rejects with `transport.unsupported` where there is no binary. */
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
