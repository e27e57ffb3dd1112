import type { RystraError, Side } from '@rystra/plugin'

/** What a failed handshake means, as `tls.*`; what is none of TLS's is `connect.unreachable`. `side`: whose error this is. */
export declare const tlsError: (cause: Error, side: Side, detail: string) => RystraError
