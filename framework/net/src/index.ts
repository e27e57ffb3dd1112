/** TCP for transports: dialing out, also through proxies, and ports that several transports share. */
export * from './client-hello.js'
export { type DialTcpOptions, type DialWorld, dialFields, dialTcp } from './dial.js'
export { asError, dialError, hostPort, listenError } from './errors.js'
export { tcpFields } from './fields.js'
export { withoutProxy } from './proxy/no-proxy.js'
export * from './shared-ports.js'
