/** The end of a tunnel beside the services: keeps one session to the server, and reaches services. */
export { Client } from './client.js'
export { createClient } from './create-client.js'
export type { ClientEvents, NoticeHere, PublishedHere, Reconnecting, RefusedHere, VisitingHere } from './events.js'
export type { StreamHandler } from './handlers.js'
export type { ClientOptions } from './options.js'
