/** Amounts of a configuration, and what keeps use within them. */
export * from './amount.js'
export * from './bounded-map.js'
export * from './descriptors.js'
export * from './handshakes.js'
export * from './token-bucket.js'
export * from './turn-queue.js'
export * from './waiters.js'
