/** Version of the frames in SPEC.md. */
export const RPC_VERSION = 1

/** In front of each frame: type, flags, length of the rest, id. */
export const FRAME_HEADER = 8

/** Largest rest of a frame. A longer message has several, so that messages take turns on one stream. */
export const MAX_FRAME_BYTES = 65_535

/** Body bytes in one frame of a message that has several: small enough that a short call waits for little. */
export const CHUNK_BYTES = 16_384

/** Default of the largest message, in as many frames as it takes. */
export const MAX_MESSAGE_BYTES = 4_194_304

/** Default of the calls that a peer may have in flight: one more is refused with `rpc.busy`. */
export const MAX_CALLS = 1024

/** Default of the event bytes that a peer may send before listeners are done with earlier ones. */
export const EVENT_CREDIT_BYTES = 1_048_576

/** Default time limit for a peer to begin a session or stream that it opened. */
export const OPEN_TIMEOUT_MS = 10_000

/** Longest name of a request, event or stream, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255

/** Names that a connection may have numbers for. */
export const MAX_NAMES = 1024

/** Longest list of metadata in bytes, and its number of entries. */
export const MAX_METADATA_BYTES = 8192
export const MAX_METADATA_ENTRIES = 64

/** Longest key of metadata in bytes. */
export const MAX_KEY_BYTES = 127

/** Longest text of an error in bytes. */
export const MAX_ERROR_BYTES = 1024

/** Nested maps and arrays in a MessagePack or JSON body. */
export const MAX_BODY_DEPTH = 64

/** Values in a MessagePack body: an empty map is one byte on the wire and 56 in memory. */
export const MAX_BODY_ITEMS = 262_144
