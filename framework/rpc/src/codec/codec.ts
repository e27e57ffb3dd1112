/** Turns the bodies of messages into bytes, and back. */
export interface BodyCodec {
  /** In each message: 16 to 255 for one of the application. */
  readonly number: number
  readonly name: string
  /** The memory is valid until the next call. */
  encode(value: unknown): Uint8Array
  /** Keeps nothing of `bytes`. A throw refuses the message. */
  decode(bytes: Buffer): unknown
}

/** No body: `undefined`. */
export const NO_BODY = 0

/** The codecs of a connection, by number. */
export type Codecs = readonly (BodyCodec | undefined)[]
