import type { TextMapGetter, TextMapSetter } from '@opentelemetry/api'
import type { HeaderField } from '@rystra/plugin'

/** Of a field by its name in lower case. Most names differ in length, which needs no copy of them. */
const isNamed = ([name]: HeaderField, key: string): boolean => name.length === key.length && name.toLowerCase() === key

/** Reads the context of a trace from a head. */
export const headGetter: TextMapGetter<readonly HeaderField[]> = {
  keys: (fields) => fields.map(([name]) => name.toLowerCase()),
  /** Several fields of one name are one list, as of HTTP: two of `traceparent` are not valid, those of `tracestate` are joined. */
  get(fields, key) {
    const first = fields.find((field) => isNamed(field, key))
    if (first === undefined || fields.findLast((field) => isNamed(field, key)) === first) return first?.[1]
    return fields.flatMap((field) => (isNamed(field, key) ? [field[1]] : [])).join(',')
  }
}

/** Writes it into a head, in place of all fields of that name. */
export const headSetter: TextMapSetter<HeaderField[]> = {
  set(fields, key, value) {
    const at = fields.findIndex((field) => isNamed(field, key))
    if (at === -1) {
      fields.push([key, value])
      return
    }
    fields[at] = [key, value]
    for (let last = fields.length - 1; last > at; last--)
      if (isNamed(fields[last] as HeaderField, key)) fields.splice(last, 1)
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
