/** A TLS connection of OpenSSL that was noticed when it was made. */
export type WatchedTls = object & { readonly __watched?: never }

/** The functions of the binary for links of yamux. */
export interface LinkBinding {
  /**
   * Once. `deliver` is called with a number of {@link EVENT} rows, and whether another call follows at once. Whether links
   * can be opened.
   */
  yamuxSetup(memory: Buffer, rows: Int32Array, deliver: (count: number, more: boolean) => void): boolean
  /** What is read into from now on. */
  yamuxMemory(memory: Buffer): void
  /** Until `tlsWatched`, a TLS connection that is made is noticed. Whether it can be. */
  tlsWatch(): boolean
  /** The one that was made; `undefined` for none, or several. */
  tlsWatched(): WatchedTls | undefined
  /** Takes a copy of the descriptor. A number of a link, or a negative error. */
  linkOpen(descriptor: number, shared: Float64Array, frameSize: number, maxWindow: number, limit: number): number
  /** Before it is started: the link is over TLS. 0, or a negative error. */
  linkSecure(link: number, watched: WatchedTls, handle: object, finished: Buffer, sent: number): number
  /** Why TLS has failed; empty otherwise. */
  linkReason(link: number): string
  /** For specs, once there is a link over TLS: its keys are changed after so many records. 0: as usual. */
  tlsRekey(records: number): void
  /** Reads from now on, `bytes` first. 0, or a negative error. */
  linkStart(link: number, bytes: Buffer): number
  /** Whether all is sent. Otherwise the rest is copied, and {@link EVENT.writable} follows. */
  linkWrite(link: number, memory: Buffer, start: number, end: number): boolean
  /** Ends it behind what was written. */
  linkEnd(link: number): void
  /** @param reset 1: the peer sees a reset */
  linkClose(link: number, reset: number): void
  /**
   * Joins a stream with a descriptor, which gets `bytes` first, behind the `answer` of the peer. The peer gets `head` first.
   * 0, or a negative error.
   */
  streamJoin(
    link: number,
    id: number,
    descriptor: number,
    numbers: Float64Array,
    bytes: Buffer,
    head: Buffer,
    answer: Buffer
  ): number
  /** A copy of what the peer has answered otherwise so far. */
  streamAnswer(link: number, id: number): Buffer
  /** So many bytes of it accept the stream. */
  streamAccept(link: number, id: number, bytes: number): void
  /** Resets its socket; the peer was told. */
  streamDrop(link: number, id: number): void
  /** The link takes no more of it; what was received still goes to the socket. */
  streamLeave(link: number, id: number): void
  /** Writes bytes sent, bytes received, bytes that wait for the socket, and the credit of the peer. */
  streamStats(link: number, id: number, numbers: Float64Array): boolean
  /** Most bytes that a TCP socket takes and has not sent yet; 0 for the limit of the system. Whether it is set. */
  limitUnsent(descriptor: number, bytes: number): boolean
}

/** Columns of an event: link, kind, and three to six more. c/yamux.h has the same. */
export const EVENT_COLUMNS = 8

/** Events of one call. */
export const MAX_EVENTS = 256

export const EVENT = {
  bytes: 0,
  linkEnd: 1,
  linkLost: 2,
  writable: 3,
  acknowledged: 4,
  endSent: 5,
  endReceived: 6,
  over: 7,
  violation: 8,
  ready: 9,
  answer: 10,
  connectionOpen: 11,
  connectionBytes: 12,
  connectionEnd: 13,
  connectionWritable: 14,
  connectionClosed: 15
} as const

/** Columns of what a link shares with the native part. */
export const SHARED = { heard: 0, roundTrip: 1, used: 2, grown: 3 } as const
export const SHARED_COLUMNS = 4

/** What is said of a stream that is joined. */
export const JOIN = {
  acknowledged: 1,
  ended: 2,
  /** The descriptor is the stream's from now on. */
  owned: 4,
  /** Its first frame opens it. */
  opens: 8
} as const

/** Reasons of the end of a stream that are no errno. */
export const OVER = { reset: -1, dataAfterEnd: -2 } as const
