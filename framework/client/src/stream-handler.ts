import type { StreamInfo } from '@rystra/model'
import type { Duplex } from 'node:stream'

/**
 * Serves one visitor: `stream` is to the service what an accepted socket would be, `remoteAddress` included. A throw, or
 * a promise that rejects, resets it.
 */
export type StreamHandler = (stream: Duplex, info: StreamInfo) => unknown
