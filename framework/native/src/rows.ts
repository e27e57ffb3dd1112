/** Columns of a row: a datagram to send, or a received message. c/batch.h has the same. */
export const ROW = {
  offset: 0,
  length: 1,
  /** Received: size of coalesced datagrams, 0 for a single one. Sent: errno of a failure. */
  extra: 2,
  /** 4 or 6; to send also 0, the connected peer. */
  family: 3,
  port: 4,
  address: 5,
  scope: 9
} as const

/** Numbers of a row. */
export const COLUMNS = 10

/** Datagrams of one send. */
export const MAX_ROWS = 128

/** Messages of one receive, and the memory of each: the kernel coalesces up to 64 KiB. */
export const MAX_MESSAGES = 16
export const MESSAGE_BYTES = 65_536

/** Datagrams that the kernel coalesces into a message. */
export const MAX_SEGMENTS = 64
