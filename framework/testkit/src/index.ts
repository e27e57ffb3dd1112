/** Compliance kits, an in-memory transport, a fake clock and fault injection. Knows only the contracts. */
export * from './clock.js'
export * from './network.js'
export * from './pair.js'
export * from './transport-memory.js'
