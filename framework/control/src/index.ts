/** Plans, reloads and events of a running end: what server and client share of `Runtime`. */
export type { ControlledEnd, HandOver, Rehearsal } from './controlled-end.js'
export { EndControl } from './end-control.js'
export { EndFeed, type EventRecord, type Recorders, sessionRecorders } from './end-feed.js'
export { EndRuntime, type EndRuntimeParts, type SessionWithStreams } from './end-runtime.js'
export { eventError, EventLog } from './event-log.js'
export type { ExplainParts } from './explain/index.js'
export { publicConfig } from './public-config.js'
export type { ControlOptions, ReadySuccessor, Successor, SuccessorOptions } from './source.js'
