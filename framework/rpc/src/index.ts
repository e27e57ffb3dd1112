/** Requests, events and real-time streams between programs, over the channels of a session. */
export * from './library.js'
export { default, type RpcModule } from './extension.js'
