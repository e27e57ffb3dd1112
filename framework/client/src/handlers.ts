import type { StreamInfo } from '@rystra/model'
import type { Duplex } from 'node:stream'

/** In front of the name of a service within this process, where `local` has an address otherwise. */
export const HANDLER = 'handler:'

/** Serves one visitor: `stream` is to the service what an accepted socket would be. */
export type StreamHandler = (stream: Duplex, info: StreamInfo) => void
