import type { TlsFacts } from '@rystra/plugin'
import type { TLSSocket } from 'node:tls'

/** What {@link TlsFacts} says of a socket whose handshake is done. Its certificate is there only if it was verified. */
export declare const tlsFacts: (socket: TLSSocket) => TlsFacts
