/** Version of the frames in SPEC.md. */
export const RPC_VERSION = 1

/** Largest frame, its length field included: small enough that frames of several messages take turns on one stream. */
export const MAX_FRAME_BYTES = 65_536

/** Largest body of one message, in as many frames as it takes. Default of `maxMessageBytes`. */
export const MAX_MESSAGE_BYTES = 4_194_304

/** Longest name of a request, event or stream, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255

/** Longest list of metadata, in bytes, and its number of entries. */
export const MAX_METADATA_BYTES = 8192
export const MAX_METADATA_ENTRIES = 64
