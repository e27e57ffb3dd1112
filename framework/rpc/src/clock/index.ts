export { isTimestamp, type RejectedExchange } from './exchange.js'
export * from './session-clock.js'
export { TimestampReader } from './timestamp-reader.js'
