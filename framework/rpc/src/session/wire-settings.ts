import type { Logger } from '@rystra/model'
import type { BodyCodec, Codecs } from '../codec/codec.js'
import type { Metadata } from '../frame/metadata.js'

/** Limits and codecs of connections and streams. */
export interface WireSettings {
  readonly maxMessageBytes: number
  readonly maxCalls: number
  readonly eventCredit: number
  readonly maxStreams: number
  readonly maxQueueBytes: number
  readonly openTimeout: number
  readonly codec: BodyCodec
  readonly codecs: Codecs
  readonly metadata: Metadata
  readonly log: Logger
}
