/** Addresses and hosts as people write them: one form of each, networks, patterns. */
export * from './address.js'
export * from './pattern.js'
