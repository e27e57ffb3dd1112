import type { RawStream } from '@rystra/bytes'

/** Datagrams beside a stream. */
export interface Datagrams {
  /** The largest that fits now, in bytes. */
  readonly maxSize: number
  /** `false` when it was dropped at once. */
  send(message: Uint8Array): boolean
  onMessage: ((message: Buffer) => void) | undefined
  close(): void
}

/** What both ends are told of a channel before its first byte. */
export interface ChannelHead {
  /** `calls` carries requests and events, `stream` one stream. */
  readonly kind: 'calls' | 'stream'
  /** Chosen by the end that opened the channel of calls; a stream names it. */
  readonly session: string
  /** The client that it is for, when the server is not. */
  readonly to?: string
}

/** A channel that is open. */
export interface RpcChannel {
  readonly stream: RawStream
  /** Resolves when the other side has taken it. Never rejects. */
  readonly accepted: Promise<void>
  /** Present where they were asked for and the session has them. */
  readonly datagrams?: Datagrams | undefined
}

/** Opens channels to the other side. */
export interface ChannelOpener {
  open(head: ChannelHead, datagrams?: boolean): Promise<RpcChannel>
}
