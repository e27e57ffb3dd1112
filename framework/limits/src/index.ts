/** Amounts of a configuration, and what keeps use within them. */
export * from './amount.js'
export * from './bounded-map.js'
export * from './token-bucket.js'
export * from './waiters.js'
