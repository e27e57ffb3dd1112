/** The public end of a tunnel: accepts sessions and publishes proxies. */
export type { PublishedProxy, Refused, ServerEvents } from './events.js'
export { createServer, type Listening, Server, type ServerOptions } from './server.js'
