/** TCP for transports: dialing out, also through proxies, and ports that several transports share. */
export * from './client-hello.js'
export { type DialEnvironment, type DialTcpOptions, dialTcp } from './dial.js'
export { hostPort } from '@rystra/address'
export { asError, dialError, listenError, reasonOf } from './errors.js'
export { dialFields, tcpFields } from './fields.js'
export { type Attempt, interleave, raceAddresses } from './race.js'
export * from './shared-ports.js'
