import type { AuthAnswer, Authenticator, Challenge, PeerInfo, Side } from '@rystra/plugin'
import { FakeClock, setUpExtension } from '@rystra/testkit'
import { createHash } from 'node:crypto'
import authMtls, { type MtlsOptions } from '../src/index.js'
import { now, type Signer } from './made.js'

export const challenge = (seed = 'a', more: Partial<Challenge> = {}): Challenge => ({
  transcript: createHash('sha256').update(seed).digest(),
  clientId: 'nas',
  ...more
})

export const peerWith = (certificate?: Uint8Array): PeerInfo => ({
  address: '192.0.2.1',
  port: 4711,
  tls: { version: 'TLSv1.3', cipher: 'x', ...(certificate === undefined ? {} : { certificate }) }
})

export interface Ready {
  readonly authenticator: Authenticator
  readonly clock: FakeClock
  readonly warnings: () => string[]
  readonly start: () => Promise<void>
  /** What the server says to a peer with this certificate whose proof is right. */
  readonly answerTo: (shown: Signer | Uint8Array) => Promise<AuthAnswer>
}

export const ready = (options: MtlsOptions, { dir, role = 'server' }: { dir?: string; role?: Side } = {}): Ready => {
  const clock = new FakeClock(now)
  const made = setUpExtension(authMtls(options), role, { clock, ...(dir === undefined ? {} : { dir }) })
  const [authenticator] = made.registered('authenticators')
  if (authenticator === undefined) throw new Error('nothing was registered')
  const client = setUpExtension(authMtls(), 'client').registered('authenticators')[0]
  return {
    authenticator,
    clock,
    warnings: () => made.lines.filter(({ level }) => level === 'warn').map(({ message }) => message),
    start: () => made.start(),
    answerTo: async (shown) => {
      const peer = peerWith(shown instanceof Uint8Array ? shown : shown.der)
      const proof = await client?.prove?.(challenge(), peer)
      if (proof === undefined || authenticator.verify === undefined) throw new Error('a half is missing')
      return authenticator.verify(proof.proof, challenge(), peer) as Promise<AuthAnswer>
    }
  }
}

/** The id that was found, or `refused: why`. */
export const outcome = async (server: Ready, shown: Signer | Uint8Array): Promise<string> => {
  const answer = await server.answerTo(shown)
  return 'deny' in answer ? `refused: ${answer.deny}` : answer.identity.id
}
