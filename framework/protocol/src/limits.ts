/**
 * Every number of the protocol in one place. SPEC.md says the same numbers; a test holds the two together.
 */

/** The largest frame body before authentication, and at the head of a data stream: a Hello takes some 300 bytes. */
export const FIRST_FRAME_LIMIT = 4096
/**
 * The largest body of Auth and AuthChallenge, the frames before authentication that may be longer than the others: a
 * proof and the names around it. Only a peer that the other has answered may send one, once in each round.
 */
export const PROOF_FRAME_LIMIT = 16_448
/** The largest frame body after authentication: room for a proxy with long lists of hosts. */
export const SESSION_FRAME_LIMIT = 65536
/** Type (1 byte) and length (3 bytes, big-endian) in front of each body. */
export const FRAME_HEADER = 4

/** Nested maps and arrays in a body, the body itself counted. A spec as configuration files have it needs 4. */
export const MAX_DEPTH = 8
/** Values in a body, keys not counted: bounds what small bytes can blow up to. */
export const MAX_ITEMS = 4096

/** Frames of unknown optional types that a peer may send during the handshake. */
export const MAX_IGNORED_IN_HANDSHAKE = 16
/** Milliseconds for the whole handshake, from the link being up to AuthOk. */
export const HANDSHAKE_TIMEOUT_MS = 10_000

export const MAX_ID = 128
export const MAX_NAME = 128
export const MAX_AGENT = 128
/** Names of muxers, methods, features and kinds. */
export const MAX_TOKEN = 64
export const MAX_OFFERS = 16
export const MAX_FEATURES = 32
/** RFC 1035 allows 253, a scope id on an IPv6 address adds some. */
export const MAX_HOST = 255
export const MAX_ADDRESS = 1024
export const MAX_DETAIL = 1024

/** Characters of the text of an error code of an extension. */
export { MAX_ERROR_TEXT } from '@rystra/model'

/**
 * As much as HTTP servers take in their headers (16 KiB in Node): a token that an identity provider makes for them, with
 * the groups of its bearer in it, fits here too.
 */
export const MAX_PROOF = 16_384
export const MAX_CONFIRM = 2048
/** Auth messages of one handshake: SCRAM needs two, GSSAPI rarely more than three. */
export const MAX_AUTH_ROUNDS = 8
export const NONCE_SIZE = 32
export const SECRET_SIZE = 32
/** HMAC-SHA256. */
export const DATA_PROOF_SIZE = 32
/** The id of a ticket. */
export const TICKET_SIZE = 16
/** HMAC-SHA256. */
export const EARLY_PROOF_SIZE = 32
/** Bytes of early data in a Hello, and of one EarlyAnswer: the rest of a Hello takes some 400 bytes of its frame. */
export const MAX_EARLY_DATA = 3072
export const MAX_LINKS = 64
/** Servers that one GoAway may name: as many as a client can try while the streams of its session drain. */
export const MAX_ALTERNATIVES = 16
/** A day: longer is a mistake in a unit. */
export const MAX_MILLISECONDS = 86_400_000
/** Counters of data links that are remembered against replay. */
export const REPLAY_WINDOW = 1024
