import type { Field } from '../field.js'
import { hooks } from './hooks.js'
import { open } from './open.js'
import { packets } from './packets.js'
import { requests } from './requests.js'
import { streams } from './streams.js'
import { watching, watchingRequests } from './watching.js'

/** In the order of the report. */
export const fields: readonly Field[] = [streams, requests, packets, hooks, open, watching, watchingRequests]
