import { duplexPair, rawOf } from '@rystra/bytes'
import type { EarlyData } from '@rystra/plugin'
import { rpcError } from '../error.js'
import { FrameReader } from '../frame/reader.js'
import { Flag, FrameType } from '../frame/types.js'
import type { Step } from '../middleware/middleware.js'
import type { ProgramSession } from '../session/session.js'

/** Calls in one piece of early data. */
const MAX_CALLS = 64

/** Before all other middleware: in early data there is nothing but calls that may run a second time. */
export const replaySafeOnly: Step = ({ kind, name }, session) => {
  if (kind === 'request' && session.router.findHandler(name)?.replaySafe !== true) throw rpcError('rpc.early', name)
}

/** Refuses data that are anything but a hello and whole requests behind it. Throws `rpc.protocol`. */
const checkFrames = (data: Buffer): void => {
  let frames = 0
  const fail = (what: string): never => {
    throw rpcError('rpc.protocol', `early data: ${what}`)
  }
  const reader = new FrameReader({
    onFrame: (type, flags) => {
      const expected = frames === 0 ? FrameType.hello : FrameType.request
      if (type !== expected) fail(`expected frame type ${expected}, got ${type}`)
      if (type === FrameType.request && (flags & Flag.more) !== 0) fail('a request of several frames')
      frames += 1
      if (frames > MAX_CALLS + 1) fail(`more than ${MAX_CALLS} calls`)
    },
    onEnd: () => {},
    onFailed: (error) => {
      throw error
    }
  })
  reader.onBytes(data, 0, data.length, false)
  reader.onEnd()
  if (frames < 2) fail('no call')
}

/** Runs the calls of a client that is not authenticated again yet, on a session of their own. Throws `rpc.protocol`. */
export const runEarly = ({ data, answer, signal }: EarlyData, session: ProgramSession): void => {
  checkFrames(data)
  const [near, far] = duplexPair()
  const end = (): void => {
    session.close()
    far.destroy()
  }
  signal.addEventListener('abort', end, { once: true })
  far.on('data', (chunk: Buffer) => {
    if (!answer(chunk)) end()
  })
  session.attach({ stream: rawOf(near) })
  far.write(data)
}
