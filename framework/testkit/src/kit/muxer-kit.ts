import { defineKit, type Kit } from './kit.js'
import { endCases } from './muxer-ends.js'
import { flowCases } from './muxer-flow.js'
import type { MuxerSubject } from './muxer-world.js'

/** What every muxer must do, on links within the process. Call it where `describe` may be called. */
export const muxerKit: Kit<MuxerSubject> = defineKit('muxer', [...flowCases, ...endCases])
