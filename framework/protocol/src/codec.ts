import { RystraError } from '@rystra/model'
import { decodeBody, encodeBody } from './body.js'
import { BodyCheck } from './check.js'
import { FIRST_FRAME_LIMIT, FRAME_HEADER, PROOF_FRAME_LIMIT, SESSION_FRAME_LIMIT } from './limits.js'
import { type Message, type MessageName, messageNames, messageNumber, type StreamReady } from './messages.js'

const checks = Object.fromEntries(messageNames.map((name) => [name, new BodyCheck(name)])) as {
  readonly [Name in MessageName]: BodyCheck<Name>
}

/** The messages that are read under {@link FIRST_FRAME_LIMIT}. */
const early = new Set<MessageName>([
  'Hello',
  'HelloAck',
  'AuthOk',
  'Error',
  'DataHello',
  'EarlyAnswer',
  'OpenStream',
  'StreamReady',
  'Visit',
  'OpenChannel'
])

/** A StreamReady for a stream without datagrams beside it; sent once for each visitor. Not to be written to. */
export const streamReadyFrame: Uint8Array = Uint8Array.of(messageNumber('StreamReady'), 0, 0, 1, 0x80)

const streamReady: StreamReady = Object.freeze({ type: 'StreamReady' })

const limitOf = (type: MessageName): number => {
  if (type === 'Auth' || type === 'AuthChallenge') return PROOF_FRAME_LIMIT
  return early.has(type) ? FIRST_FRAME_LIMIT : SESSION_FRAME_LIMIT
}

/** The whole frame of a message. Throws `protocol.malformed` or `protocol.too-large` for what the other side would refuse. */
export const encode = (message: Message): Uint8Array => {
  const { type } = message
  if (type === 'StreamReady' && message.flow === undefined) return Uint8Array.prototype.slice.call(streamReadyFrame)
  const check = checks[type]
  const problem = check.problem(message)
  if (problem !== undefined) throw new RystraError('protocol.malformed', { detail: problem })
  const body = encodeBody(check.take({}, message))
  const { length } = body
  const limit = limitOf(type)
  if (length > limit) throw new RystraError('protocol.too-large', { detail: `${type}: ${length} of ${limit} bytes` })
  const frame = Buffer.allocUnsafe(FRAME_HEADER + length)
  frame[0] = messageNumber(type)
  frame[1] = length >>> 16
  frame[2] = length >>> 8
  frame[3] = length
  frame.set(body, FRAME_HEADER)
  return frame
}

/** The message of a body, with memory of its own. Throws `protocol.malformed`. */
export const decode = (type: MessageName, body: Uint8Array): Message => {
  if (type === 'StreamReady' && body.length === 1 && body[0] === 0x80) return streamReady
  const decoded = decodeBody(body)
  const check = checks[type]
  const problem = check.problem(decoded)
  if (problem !== undefined) throw new RystraError('protocol.malformed', { detail: problem })
  return check.take({ type }, decoded) as Message
}
