/** TCP for transports: dialing out, also through proxies, and ports that several transports share. */
export * from './dial.js'
export * from './errors.js'
export * from './shared-ports.js'
