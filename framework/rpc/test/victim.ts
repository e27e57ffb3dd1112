import { duplexPair, rawOf } from '@rystra/bytes'
import { State } from '../src/context/state.js'
import type { RpcError } from '../src/error.js'
import { Router } from '../src/router/router.js'
import { ProgramSession } from '../src/session/session.js'
import { type RpcOptions, settingsOf } from '../src/session/settings.js'
import { samples } from './frames.js'

export const { hello } = samples()

/** A session, and the raw other end of its channel. */
export const victim = (options: RpcOptions = {}) => {
  const [near, far] = duplexPair()
  const router = new Router()
  const session = new ProgramSession({
    id: 'victim',
    remote: { id: 'attacker', side: 'client', address: { address: 'memory', port: 0 } },
    settings: settingsOf(options),
    router,
    context: new State(),
    reconnects: false,
    opener: () => undefined
  })
  const over = new Promise<string>((resolve) =>
    session.on('close', (error) => resolve((error as RpcError | undefined)?.code ?? 'end'))
  )
  const answers: Buffer[] = []
  far.on('data', (chunk: Buffer) => answers.push(chunk)).on('error', () => {})
  session.attach({ stream: rawOf(near) })
  return { session, router, over, far, answers }
}
