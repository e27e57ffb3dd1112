/** The public end of a tunnel: accepts sessions and publishes proxies. */
export type { Listening, PublishedProxy, Refused, ServerEvents } from './events.js'
export { createServer } from './create-server.js'
export type { ServerOptions } from './options.js'
export { Server } from './server.js'
export type { InheritedSocket } from '@rystra/net'
