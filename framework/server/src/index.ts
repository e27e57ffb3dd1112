/** The public end of a tunnel: accepts sessions and publishes proxies. */
export type { Listening, PublishedProxy, Refused, ServerEvents } from './events.js'
export { createServer, Server, type ServerOptions } from './server.js'
