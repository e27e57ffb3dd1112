/** Addresses, hosts, ports and endpoints as people write them: one form of each, and what compares them. */
export * from './address.js'
export * from './endpoint.js'
export * from './field.js'
export * from './host.js'
export * from './pattern.js'
export * from './ports.js'
export * from './trusted-proxies.js'
export * from './visitor.js'
