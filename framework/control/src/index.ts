/** Plans, reloads and events of a running end: what server and client share of `Runtime`. */
export { type ControlledEnd, EndControl, type HandOver, type Rehearsal } from './end-control.js'
export { eventError, EventLog } from './event-log.js'
export { type ExplainParts, explainVisit } from './explain/index.js'
export { listenerThrew } from './listener-threw.js'
export { mergeItems, planItems } from './plan-items.js'
export { problemsOf } from './problems.js'
export { publicConfig } from './public-config.js'
export type { ConfigSource, ControlOptions, ReadySuccessor, Successor, SuccessorOptions } from './source.js'
