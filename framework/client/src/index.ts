/** The end of a tunnel beside the services: keeps one session to the server, and reaches services. */
export { Client } from './client.js'
export { createClient } from './create-client.js'
export type {
  ClientEvents,
  NoticeHere,
  PublishedHere,
  Reconnecting,
  RefusedHere,
  RefusedForward,
  ForwardHere
} from './events.js'
export type { ExposeSpec, Handler } from './handlers.js'
export type { StreamHandler } from './stream-handler.js'
export type { RequestHandler } from './request-handler.js'
export { configuredServers } from './configured-servers.js'
export type { KnownServer } from './known-server.js'
export type { ResolveSrv, SrvRecord } from './srv.js'
export type { ClientOptions } from './options.js'
