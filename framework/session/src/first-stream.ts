import { RystraError } from '@rystra/model'
import type { StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** The stream on which a link that carries streams by itself is authenticated. Rejects when the link ends, or by the signal. */
export const firstStream = (link: StreamLink, signal: AbortSignal): Promise<Duplex> =>
  new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      link.destroy(error)
      reject(error)
    }
    const aborted = (): void => fail(signal.reason as Error)
    link.onStream = (stream) => {
      // An unauthenticated peer needs one stream: further ones are refused until a session takes the link over.
      link.onStream = undefined
      // From here on the handshake tells the peer why it ends.
      signal.removeEventListener('abort', aborted)
      resolve(stream)
    }
    link.onClose = (error) => fail(error ?? new RystraError('session.lost'))
    signal.addEventListener('abort', aborted, { once: true })
  })
