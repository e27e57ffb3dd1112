/** Constants of links, the same at both ends. See docs/adr/0023-websocket-framing.md. */

/** The sub-protocol of links, RFC 6455 section 1.9. */
export const SUBPROTOCOL = 'rystra.1'

/** Default request path of links. */
export const DEFAULT_PATH = '/rystra'

/** Largest message that this end sends. */
export const MESSAGE_BYTES = 1024 * 1024

/** Largest message that this end accepts. Payload is handed on as it arrives and never collected. */
export const MAX_MESSAGE_BYTES = 4 * MESSAGE_BYTES

/** Maximum of frames of one message. An intermediary has no reason to use fragments below 256 bytes. */
export const MAX_FRAGMENTS = MAX_MESSAGE_BYTES / 256

/** Time until a finished connection is closed by this end. No data is left to send then. */
export const CLOSE_TIMEOUT_MS = 3000

/** Time for each step of a handshake: TLS, then the request or its response. */
export const HANDSHAKE_TIMEOUT_MS = 10_000

/** Largest request or response head, Node's default. */
export const MAX_HEAD_BYTES = 16 * 1024

/** Maximum of connections of a listener without a complete request, as many as handshakes in progress at the server. */
export const MAX_PENDING = 1024
