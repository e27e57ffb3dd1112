import fc from 'fast-check'
import * as limits from '../src/limits.js'
import type { Message, MessageName } from '@rystra/protocol'
import { definitions, messageNames } from '../src/messages.js'

const fits =
  (max: number) =>
  (text: string): string =>
    // Cut by characters, so that no pair of surrogates is parted.
    [...text].reduce((kept, character) => (kept.length + character.length > max ? kept : kept + character), '')

/** Not in names: separators of lines, and what changes the direction of a text. */
const unprintable = /[\u2028\u2029\p{Bidi_Control}]/gu
const text = (max: number) =>
  fc.string({ unit: 'grapheme', maxLength: max }).map((found) => fits(max)(found).replaceAll(unprintable, ''))
const name = (max: number) => text(max).map((found) => (found === '' ? 'x' : found))
const token = name(limits.MAX_TOKEN)
// Short enough that a whole Hello stays below 4 KiB.
const offers = fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 8 })
const uint = fc.maxSafeNat()
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
const bytesUpTo = (size: number) => fc.uint8Array({ maxLength: size })
const port = fc.integer({ min: 0, max: 65535 })
const endpoint = fc.tuple(text(limits.MAX_HOST), port)
const milliseconds = fc.integer({ min: 0, max: limits.MAX_MILLISECONDS })
const minor = fc.integer({ min: 0, max: 65535 })
const wireError = fc.record(
  {
    code: token,
    detail: fc.string({ unit: 'binary', maxLength: 200 }).map(fits(limits.MAX_DETAIL)),
    text: fc.string({ unit: 'binary', maxLength: 200 }).map(fits(limits.MAX_ERROR_TEXT)),
    retryable: fc.boolean()
  },
  { requiredKeys: ['code'] }
)
const heartbeat = fc.record({
  seq: uint,
  time: fc.oneof(uint, fc.double({ min: 0, max: 2 ** 52, noNaN: true })).map((time) => time + 0)
})

const spec = fc
  .tuple(name(limits.MAX_NAME), token, fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 4 })))
  .map(([proxy, kind, fields]) => ({ ...fields, name: proxy, kind }))
  .filter((found) => !JSON.stringify(found).includes('"__proto__"'))
  // MessagePack has no integer -0.
  .map((found) => JSON.parse(JSON.stringify(found)) as typeof found)

const flow = fc.integer({ min: 0, max: 0xffffffff })

const details = fc
  .dictionary(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 2 }))
  .filter((found) => !JSON.stringify(found).includes('"__proto__"'))
  .map((found) => JSON.parse(JSON.stringify(found)) as Record<string, unknown>)

const bodies: Record<MessageName, fc.Arbitrary<object>> = {
  Hello: fc.record({
    minor,
    id: name(limits.MAX_ID),
    instance: name(limits.MAX_ID),
    agent: name(limits.MAX_AGENT),
    muxers: offers,
    auth: offers,
    nonce: bytes(limits.NONCE_SIZE),
    features: offers
  }),
  HelloAck: fc.record(
    {
      minor,
      muxer: token,
      method: token,
      nonce: bytes(limits.NONCE_SIZE),
      features: offers,
      agent: name(limits.MAX_AGENT),
      server: name(limits.MAX_ID)
    },
    { requiredKeys: ['minor', 'muxer', 'method', 'nonce', 'features', 'agent'] }
  ),
  Auth: fc.record({ proof: bytesUpTo(limits.MAX_PROOF) }),
  AuthChallenge: fc.record({ challenge: bytesUpTo(limits.MAX_PROOF) }),
  AuthOk: fc.record(
    {
      session: name(limits.MAX_ID),
      identity: name(limits.MAX_ID),
      confirm: bytesUpTo(512),
      secret: bytes(limits.SECRET_SIZE),
      heartbeat: milliseconds,
      limits: fc.record({ proxies: uint, streams: uint })
    },
    { requiredKeys: ['session', 'identity', 'heartbeat', 'limits'] }
  ),
  Error: wireError,
  DataHello: fc.record(
    { session: name(limits.MAX_ID), counter: uint, proof: bytes(limits.DATA_PROOF_SIZE), opens: fc.boolean() },
    { requiredKeys: ['session', 'counter', 'proof'] }
  ),
  EarlyAnswer: fc.oneof(fc.record({ data: bytesUpTo(512) }), fc.record({ error: wireError })),
  Heartbeat: heartbeat,
  HeartbeatAck: heartbeat,
  RegisterProxy: fc.record(
    { request: uint, spec, lastPort: uint, replace: fc.boolean(), push: uint },
    { requiredKeys: ['request', 'spec'] }
  ),
  RegisterProxyAck: fc.oneof(
    fc.record({ request: uint, address: name(limits.MAX_ADDRESS) }),
    fc.record({ request: uint, error: wireError })
  ),
  UnregisterProxy: fc.record({ name: name(limits.MAX_NAME), error: wireError }, { requiredKeys: ['name'] }),
  GoAway: fc.record(
    {
      error: wireError,
      drain: milliseconds,
      alternatives: fc.array(endpoint, { maxLength: limits.MAX_ALTERNATIVES })
    },
    { requiredKeys: ['drain'] }
  ),
  RequestLinks: fc.record({ count: fc.integer({ min: 1, max: limits.MAX_LINKS }) }),
  ProxyHealth: fc.record({ name: name(limits.MAX_NAME), up: fc.boolean() }),
  PushProxy: fc.record({ request: uint, spec, by: name(limits.MAX_ID) }, { requiredKeys: ['request', 'spec'] }),
  PushProxyAck: fc.record({ request: uint, error: wireError }, { requiredKeys: ['request'] }),
  OpenStream: fc.record(
    { id: name(limits.MAX_ID), proxy: name(limits.MAX_NAME), visitor: endpoint, to: endpoint, flow, details },
    { requiredKeys: ['id', 'proxy', 'visitor', 'to'] }
  ),
  StreamReady: fc.record({ flow: fc.boolean() }, { requiredKeys: [] }),
  Visit: fc.record(
    { kind: token, of: name(limits.MAX_NAME), visitor: endpoint, to: endpoint, flow, details },
    { requiredKeys: ['kind', 'of', 'visitor', 'to'] }
  ),
  OpenChannel: fc.record({ id: name(limits.MAX_ID), name: token, flow, details }, { requiredKeys: ['id', 'name'] }),
  Notice: fc.record({ proxy: name(limits.MAX_NAME), notice: details }),
  ProxyAddress: fc.record({ name: name(limits.MAX_NAME), address: name(limits.MAX_ADDRESS) })
}

/** Any message that may be sent. */
export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  ...messageNames.map((type) => bodies[type].map((body) => ({ type, ...body }) as Message))
)

/** Frames with a known type and arbitrary bodies, and frames with a byte changed, gone or added: close to the real ones. */
export const nearFrame = (frames: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> => {
  const numbers = messageNames.map((type) => definitions[type].number)
  const foreign = fc
    .tuple(fc.constantFrom(...numbers, 0x00, 0x7f, 0x80, 0xff), fc.uint8Array({ maxLength: 64 }))
    .map(([number, body]) => Uint8Array.of(number, 0, 0, body.length, ...body))
  const changed = fc
    .tuple(frames, fc.nat(), fc.nat(255), fc.constantFrom('change', 'remove', 'add', 'none'))
    .map(([frame, place, byte, how]) => {
      const at = place % frame.length
      const bytes = Array.from(frame)
      if (how === 'change') bytes[at] = byte
      if (how === 'remove') bytes.splice(at, 1)
      if (how === 'add') bytes.splice(at, 0, byte)
      return Uint8Array.from(bytes)
    })
  return fc.oneof(foreign, changed, fc.uint8Array({ maxLength: 32 }))
}
