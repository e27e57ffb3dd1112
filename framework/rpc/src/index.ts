/** Requests, events and real-time streams between programs, over the channels of a session. */
export * from './clock/index.js'
export * from './limits.js'
export * from './stream/index.js'
