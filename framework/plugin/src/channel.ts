import type { RawStream } from '@rystra/bytes'
import type { RystraError, SessionInfo, Side } from '@rystra/model'

/** A named stream on a session that no visitor opened. */
export interface ChannelInfo {
  /** Unique in the session for the end that opened it. */
  readonly id: string
  /** Which handler it is for: `rpc`. */
  readonly name: string
  /** What the end that opened it tells the handler before the first byte. Plain values. */
  readonly details: Readonly<Record<string, unknown>>
  readonly session: SessionInfo
  /** Which end this is. Each channel has one such object at each end. */
  readonly side: Side
  /** Which end opened it. */
  readonly openedBy: Side
}

/** Unreliable, unordered messages that belong to one channel. */
export interface ChannelDatagrams {
  /** The largest message that fits now, in bytes. */
  readonly maxSize: number
  /** `false` when it was dropped at once. The message is the caller's again when it returns. */
  send(message: Uint8Array): boolean
  /** The message is valid until it returns. */
  onMessage: ((message: Buffer) => void) | undefined
}

/** What is done on a channel. */
export interface ChannelWork {
  /** What a drain waits for, as for an open stream: until it is 0, or the time of the drain is over. */
  readonly inFlight: number
  /** Called when this end begins to drain: tells the other side to begin nothing more. */
  goAway(): void
}

/** A channel that is open. */
export interface Channel {
  readonly info: ChannelInfo
  /**
   * Reliable and in order. At the end that opened the channel bytes may be written at once; when the other end refuses,
   * `onClose` has the error: `channel.unknown`, `channel.refused` or `channel.limit`.
   */
  readonly stream: RawStream
  /** Resolves when the other end has a handler for it. Never rejects: see `stream.onClose`. */
  readonly accepted: Promise<void>
  /** Present when they were asked for, and both ends have them; at the end that opened the channel once it is accepted. */
  readonly datagrams: ChannelDatagrams | undefined
  /**
   * Called when this end closes the session cleanly: what ends the stream within the call is sent before. What is open
   * then is reset, and looks like a loss at both ends.
   */
  onClosing: (() => void) | undefined
  /** What is done on the channel, so that a drain of the session waits for it. @default nothing */
  work: ChannelWork | undefined
  /** Resets the stream; the error is for this end's hooks and log. */
  close(error?: RystraError): void
}

/** How a channel is opened. */
export interface ChannelOptions {
  /** For the handler. Plain values: no bytes. At most about 3 KiB. */
  readonly details?: Readonly<Record<string, unknown>>
  /** Asks for datagrams. @default false */
  readonly datagrams?: boolean
  /** Gives up the opening. */
  readonly signal?: AbortSignal
}

/** Opens channels on one session. */
export interface ChannelOpener {
  /**
   * Resolves when the first byte may be written, without waiting for the other end. Rejects with `channel.limit`, with
   * `channel.refused` when a hook of this end refuses, and with the errors of `StreamLink.open`.
   */
  openChannel(name: string, options?: ChannelOptions): Promise<Channel>
  /** Gives a call that is over to the taps of `onCall` at this end; `undefined` without taps. */
  readonly reportCall: ((call: Omit<CallContext, 'session' | 'side'>) => void) | undefined
}

/** What a client sends early. */
export interface EarlyOffer {
  readonly data: Uint8Array
  /** A piece of the answer. */
  onAnswer(data: Buffer): void
  /** The early data were refused: send them again when the session is up. */
  onRefused(error: RystraError): void
  /** No answer comes any more. Called once, last. */
  onDone(): void
}

/** What a client has sent early. */
export interface EarlyData {
  /** Identity and client are those of the session whose ticket was used; it is not listed anywhere. */
  readonly session: SessionInfo
  readonly data: Buffer
  /** Aborted when it is too late for answers. */
  readonly signal: AbortSignal
  /** `false` when it is too late, or too much. */
  answer(data: Uint8Array): boolean
}

/** Takes the channels of one name, at either end. `registries.channels` */
export interface ChannelHandler {
  readonly name: string
  /** Answers with the reason to refuse a channel, which crosses the wire. @default none is refused */
  refuse?(info: ChannelInfo): string | undefined
  /**
   * Client: what is to be sent with the first message of a link that comes back, in at most `limit` bytes; an attacker may
   * be able to send it to the server a second time. @default nothing
   */
  early?(limit: number): Promise<EarlyOffer | undefined>
  /** Server: the other side of {@link early}. A throw refuses the data with the code of the error. @default refused */
  onEarly?(early: EarlyData): void
  /** A channel is there: set `onClose` of its stream and read it before this returns. A throw resets it. */
  onChannel(channel: Channel): void
}

/** A channel that is about to be opened, at either end. */
export interface OpenChannelContext extends ChannelInfo {}

/** A channel that is over. */
export interface CloseChannelContext extends ChannelInfo {
  /** Payload, datagrams included. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Milliseconds since it was opened. */
  readonly duration: number
  /** Absent when it ended cleanly. */
  readonly error?: RystraError
}

/** A call that is over. */
export interface CallContext {
  readonly session: SessionInfo
  readonly side: Side
  readonly kind: 'request' | 'event' | 'stream'
  /** Which end made it. */
  readonly direction: 'in' | 'out'
  readonly name: string
  /** Milliseconds. */
  readonly duration: number
  /** `ok`, or the code of the error. */
  readonly code: string
}
