/** The four timestamps of one Ping and its Pong, in milliseconds since the epoch: `t0` and `t3` by the own clock, `t1` and `t2` by the peer's. */
export interface Exchange {
  /** The Ping was sent. */
  readonly t0: number
  /** The peer received it. */
  readonly t1: number
  /** The peer sent the Pong. */
  readonly t2: number
  /** The Pong was received. */
  readonly t3: number
}

/**
 * What one exchange proves: neither trip takes less than no time, so the offset of the peer's clock was in
 * `[lower, upper]`. The midpoint is the offset of NTP (RFC 5905, section 8), the width is the delay of the round trip.
 */
export interface ClockSample {
  /** Own clock, when the Ping was sent. */
  readonly at: number
  readonly lower: number
  readonly upper: number
}

/** Why an exchange was not used. */
export type RejectedExchange = 'timestamp' | 'unknown' | 'order' | 'timeout'

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: the range of RFC 3339 and of protobuf's Timestamp. */
const MIN_TIMESTAMP = -62_135_596_800_000
const MAX_TIMESTAMP = 253_402_300_799_999

/** A later Pong says less about the clock than the drift of the meantime. */
const MAX_ROUND_TRIP_MS = 10_000

/** Half of the spacing of doubles at the present epoch, with room for the microseconds of the wire. */
const RESOLUTION_MS = 0.001

/** NTP does not believe in faster drift either (RFC 5905, `MAXFREQ`). Milliseconds per millisecond. */
export const MAX_DRIFT = 500e-6

/** Whether a number received from a peer can be a time: a finite one from the years 1 to 9999. */
export const isTimestamp = (value: number): boolean => value >= MIN_TIMESTAMP && value <= MAX_TIMESTAMP

/** The sample of an exchange, or why it is not used: each timestamp may be a lie. */
export const measure = ({ t0, t1, t2, t3 }: Exchange): ClockSample | RejectedExchange => {
  if (![t0, t1, t2, t3].every(isTimestamp)) return 'timestamp'
  const roundTrip = t3 - t0
  const held = t2 - t1
  if (roundTrip > MAX_ROUND_TRIP_MS) return 'timeout'
  // The peer cannot have held the Ping for longer than the whole exchange took.
  if (roundTrip < 0 || held < 0 || held > roundTrip + 2 * RESOLUTION_MS) return 'order'
  const slack = RESOLUTION_MS + MAX_DRIFT * roundTrip
  return { at: t0, lower: t2 - t3 - slack, upper: t1 - t0 + slack }
}
