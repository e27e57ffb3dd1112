import { duplexPair, rawOf } from '@rystra/bytes'
import type { EarlyOffer } from '@rystra/plugin'
import { codecFor } from '../codec/codecs.js'
import { rpcError } from '../error.js'
import { Connection } from '../session/connection.js'
import type { OutgoingCall } from '../session/outgoing-calls.js'
import type { OutgoingMessages } from '../session/outgoing-messages.js'
import type { RpcSettings } from '../session/settings.js'

/** What a frame of a request adds to its name and body, at most, without metadata. */
const FRAME_OVERHEAD = 64

/** Room for the hello frame. */
const HELLO_OVERHEAD = 256

const nothing = (): void => {}

/** The bytes of a call, at most; infinite for one that does not fit. */
const costOf = ({ name, data, options }: OutgoingCall, { codec }: RpcSettings): number => {
  if (options.metadata !== undefined && Object.keys(options.metadata).length > 0) return Number.POSITIVE_INFINITY
  try {
    const body = codecFor(data, codec)?.encode(data).length ?? 0
    return FRAME_OVERHEAD + 3 * name.length + body
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Puts calls that wait for a session into early data. They go on waiting: what is not answered is called again. */
export const earlyCalls = async (
  waiting: readonly OutgoingCall[],
  messages: OutgoingMessages,
  settings: RpcSettings,
  limit: number
): Promise<EarlyOffer | undefined> => {
  let left = limit - HELLO_OVERHEAD
  const calls = waiting.filter((call) => {
    const cost = costOf(call, settings)
    if (cost > left) return false
    left -= cost
    return true
  })
  if (calls.length === 0) return undefined
  const ids = new Set(calls.map(({ id }) => id))
  const [near, far] = duplexPair()
  const refuse = (): never => {
    throw rpcError('rpc.protocol', 'early answers hold nothing but answers')
  }
  const connection = new Connection(rawOf(near), settings, {
    onRequest: refuse,
    onEvent: refuse,
    onResponse: (received) => messages.response(received),
    // Called again when the session is up: then there is time for what is not allowed early.
    onError: (id, error) => {
      if (!error.retryable && error.code !== 'rpc.early') messages.error(id, error)
    },
    onCancel: refuse,
    waitsFor: (id) => ids.has(id),
    onCredit: nothing,
    onGoAway: nothing,
    onPong: nothing,
    onClose: nothing
  })
  const sender = messages.sender(connection, true)
  const chunks: Buffer[] = []
  far.on('data', (chunk: Buffer) => chunks.push(chunk))
  connection.start()
  for (const call of calls) sender.sendRequest(call)
  // The frames of a turn are written at its end, and arrive in the next one.
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  const data = Buffer.concat(chunks)
  const onDone = (): void => {
    connection.fail(rpcError('rpc.lost'))
    far.destroy()
  }
  if (data.length > limit) {
    onDone()
    return undefined
  }
  return { data, onAnswer: (bytes) => void far.write(bytes), onRefused: nothing, onDone }
}
