import type {
  Accepted,
  AuthAnswer,
  Authenticator,
  Challenge,
  Clock,
  Lifecycle,
  Logger,
  PeerInfo,
  Proof,
  Side
} from '@rystra/plugin'
import { silentLog } from '@rystra/plugin'
import { createHash } from 'node:crypto'
import type tokenAuth from '../src/index.js'
import extension, { type TokenOptions } from '../src/index.js'

export const peer: PeerInfo = { address: 'memory', port: 0 }

export const challenge = (seed = 'a', more: Partial<Challenge> = {}): Challenge => ({
  transcript: createHash('sha256').update(seed).digest(),
  clientId: 'home-nas',
  ...more
})

/** A clock that stands still until a test advances it. */
export class StillClock implements Clock {
  time = 1_000_000
  now(): number {
    return this.time
  }
  after(): () => void {
    return () => {}
  }
}

export interface SetUp extends Lifecycle {
  readonly authenticator: Authenticator
  readonly warnings: string[]
  readonly clock: StillClock
}

/** What a kernel does with the extension, as far as it concerns an authenticator. */
export const setUp = (role: Side, options: Partial<TokenOptions>, dir = process.cwd()): SetUp => {
  const warnings: string[] = []
  const added: Authenticator[] = []
  const clock = new StillClock()
  const warn = (...args: unknown[]): void => void warnings.push(String(args.at(-1)))
  const log: Logger = { ...silentLog, warn, child: () => log }
  const context = {
    role,
    clock,
    log,
    dir,
    options: { identity: 'default', ...options },
    registries: { authenticators: { add: (it: Authenticator) => added.push(it) } }
  }
  const lifecycle = (extension as typeof tokenAuth).definition.setup(context as never) as Lifecycle | undefined
  if (added.length !== 1) throw new Error(`${added.length} authenticators were registered`)
  return { authenticator: added[0] as Authenticator, warnings, clock, ...lifecycle }
}

export const prove = async (client: SetUp, to: Challenge): Promise<Proof> => {
  if (client.authenticator.prove === undefined) throw new Error('nothing to prove with')
  return client.authenticator.prove(to, peer)
}

export const verify = async (server: SetUp, proof: Uint8Array, to: Challenge): Promise<AuthAnswer> => {
  if (server.authenticator.verify === undefined) throw new Error('nothing to check against')
  return server.authenticator.verify(proof, to, peer) as Promise<AuthAnswer>
}

export const accepted = (answer: AuthAnswer): Accepted => {
  if ('deny' in answer) throw new Error(`refused: ${answer.deny}`)
  return answer
}
