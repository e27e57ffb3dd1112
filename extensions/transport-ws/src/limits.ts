/** What links begin with and are bound by, the same at both ends. See docs/adr/0023-websocket-framing.md. */

/** The sub-protocol both ends name, RFC 6455 §1.9: no other use of a WebSocket is taken for a link. */
export const SUBPROTOCOL = 'rystra.1'

/** Where links are asked for unless the configuration says something else. */
export const DEFAULT_PATH = '/rystra'

/** Bytes of one message that this end sends at most. */
export const MESSAGE_SIZE = 1024 * 1024

/** Bytes of one message that this end takes. It is handed on as it comes and never collected. */
export const MAX_MESSAGE = 4 * MESSAGE_SIZE

/** Frames of one message. An intermediary may break messages up; none has a reason to do so below 256 bytes. */
export const MAX_FRAGMENTS = MAX_MESSAGE / 256

/** Milliseconds the other side has to close what is over. Nothing is left to be sent by then. */
export const CLOSE_TIMEOUT = 3000

/** Milliseconds a connection has for each step of its handshake: TLS, then the request or its answer. */
export const HANDSHAKE_TIMEOUT = 10_000

/** Bytes of a request or its answer, without a body: Node's own default. */
export const MAX_HEAD = 16 * 1024

/** Connections of one listener that have not asked for anything yet. As many as the server shakes hands with at a time. */
export const MAX_UNDECIDED = 1024
