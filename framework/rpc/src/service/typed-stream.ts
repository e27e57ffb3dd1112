import type { Aligned } from '../stream/aligned-receiver.js'
import type { RpcStream } from '../session/rpc-stream.js'

/** A stream whose messages have types: those that are sent, and those that are received. */
export interface TypedStream<Sent, Received>
  extends Omit<
    RpcStream,
    'send' | 'sendWithTimestamp' | 'recv' | 'recvAligned' | 'withTimeSync' | typeof Symbol.asyncIterator
  > {
  send(data: Sent): Promise<void>
  sendWithTimestamp(data: Sent, time?: number): Promise<void>
  recv(): Promise<Received | undefined>
  recvAligned(): Promise<Aligned<Received> | undefined>
  withTimeSync(...options: Parameters<RpcStream['withTimeSync']>): this
  [Symbol.asyncIterator](): AsyncIterator<Received>
}
