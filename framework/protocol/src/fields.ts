import { type ProxySpec, printablePattern } from '@rystra/model'
import { Type } from '@rystra/model/schema'
import * as limits from './limits.js'

/** A name that is shown to people: printable, at least one character. */
export const name = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: printablePattern })

export const token = name(limits.MAX_TOKEN)
export const offers = Type.Array(token, { maxItems: limits.MAX_OFFERS })
export const features = Type.Array(token, { maxItems: limits.MAX_FEATURES })

/** Exact in every language: at most 2^53 - 1. */
export const uint = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
export const minor = Type.Integer({ minimum: 0, maximum: 65535 })
export const milliseconds = Type.Integer({ minimum: 0, maximum: limits.MAX_MILLISECONDS })
const port = Type.Integer({ minimum: 0, maximum: 65535 })
/** A moment on the clock of the sender; fractions are allowed. */
export const moment = Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** Exactly so many bytes. */
export const bytes = (size: number) => Type.Uint8Array({ minByteLength: size, maxByteLength: size })
export const bytesUpTo = (size: number) => Type.Uint8Array({ maxByteLength: size })

/** `[host, port]`. The host is empty on a transport without hosts, such as a unix socket. */
export const endpoint = Type.Tuple([Type.String({ maxLength: limits.MAX_HOST, pattern: printablePattern }), port])

/** Addresses, the preferred ones first. */
export const endpoints = (maxItems: number) => Type.Array(endpoint, { maxItems })

/** An error inside another message. */
export const wireError = Type.Object({
  code: token,
  detail: Type.Optional(Type.String({ maxLength: limits.MAX_DETAIL })),
  text: Type.Optional(Type.String({ maxLength: limits.MAX_ERROR_TEXT })),
  retryable: Type.Optional(Type.Boolean())
})

/** What a proxy is: the kind adds its fields, which only the kind can check. Plain values: no bytes. */
export const proxySpec = Type.Unsafe<ProxySpec>(
  Type.Object({ name: name(limits.MAX_NAME), kind: token }, { additionalProperties: true })
)

/** The context of a trace: `traceparent` of W3C Trace Context, version 00. */
export const traceparent = Type.String({ pattern: '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' })

/** Which datagrams belong to a stream: 0 to 2^32 - 1. */
export const flow = Type.Integer({ minimum: 0, maximum: 0xffffffff })

/** Data between the halves of a kind; only the kind can check it. Plain values: no bytes. */
export const details = Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Object({}, { additionalProperties: true }))

/** Whether a value is made of null, booleans, finite numbers, strings, arrays and maps alone. */
export const isPlain = (value: unknown): boolean => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object': {
      if (value === null) return true
      if (Array.isArray(value)) return value.every(isPlain)
      return !ArrayBuffer.isView(value) && Object.values(value).every(isPlain)
    }
    default:
      return false
  }
}
