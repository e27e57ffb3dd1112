import type { TextMapGetter, TextMapSetter } from '@opentelemetry/api'
import type { HeaderField } from '@rystra/plugin'

/** Of a field by its name in lower case. Most names differ in length, which needs no copy of them. */
const isNamed = ([name]: HeaderField, key: string): boolean => name.length === key.length && name.toLowerCase() === key

/** Reads the context of a trace from a head. */
export const headGetter: TextMapGetter<readonly HeaderField[]> = {
  keys: (fields) => fields.map(([name]) => name.toLowerCase()),
  get: (fields, key) => fields.find((field) => isNamed(field, key))?.[1]
}

/** Writes it into a head, in place of what is there. */
export const headSetter: TextMapSetter<HeaderField[]> = {
  set(fields, key, value) {
    const at = fields.findIndex((field) => isNamed(field, key))
    if (at === -1) fields.push([key, value])
    else fields[at] = [key, value]
  }
}

/** The `traceparent` that a propagator writes, for the head of a stream. */
export interface StreamCarrier {
  traceparent?: string
}

export const streamSetter: TextMapSetter<StreamCarrier> = {
  set(carrier, key, value) {
    if (key === 'traceparent') carrier.traceparent = value
  }
}
