/** What links begin with and are bound by, the same at both ends. See docs/adr/0023-websocket-framing.md. */

/** The sub-protocol both ends name, RFC 6455 §1.9: no other use of a WebSocket is taken for a link. */
export const SUBPROTOCOL = 'rystra.1'

/** Where links are asked for unless the configuration says something else. */
export const DEFAULT_PATH = '/rystra'

/** Bytes of one message that this end sends. Larger ones cost more copies, smaller ones more frames: measured. */
export const MESSAGE_SIZE = 64 * 1024

/**
 * For `ws`, at both ends. Nothing is compressed: most of it is encrypted or compressed already, and a secret beside what
 * a visitor chose must not be (CRIME). A message is collected before it is used, so its size bounds what a stranger can
 * make this end hold, whether it comes whole, in fragments or byte by byte.
 */
export const socketLimits = {
  perMessageDeflate: false,
  maxPayload: 4 * MESSAGE_SIZE,
  /** An intermediary may break messages up; nobody has a reason to do so below 256 bytes. */
  maxFragments: 1024,
  /** Reads from the network that one message may take. Segments of 64 bytes are slower than any real network's. */
  maxBufferedChunks: 4096,
  /** Text is refused, valid or not. */
  skipUTF8Validation: true,
  /** Milliseconds a closing handshake may take. Nothing is left to be sent by then. */
  closeTimeout: 3000
} as const

/** Milliseconds a connection has for each step of its handshake: TLS, then the request or its answer. */
export const HANDSHAKE_TIMEOUT = 10_000

/** Bytes of a request or its answer, without a body: Node's own default. */
export const MAX_HEAD = 16 * 1024

/** Connections of one listener that have not asked for anything yet. As many as the server shakes hands with at a time. */
export const MAX_UNDECIDED = 1024
