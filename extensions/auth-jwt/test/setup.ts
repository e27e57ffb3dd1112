import type { AuthAnswer, Authenticator, Challenge, PeerInfo, Side } from '@rystra/plugin'
import { FakeClock, setUpExtension } from '@rystra/testkit'
import { type CryptoKey, type JWTHeaderParameters, type JWTPayload, type KeyObject, SignJWT } from 'jose'
import { createHash, createHmac } from 'node:crypto'
import authJwt from '../src/index.js'

/** The moment at which every test begins. */
export const now = Date.UTC(2026, 0, 1)
export const seconds = now / 1000

export const issuer = 'https://id.example.org'
export const audience = 'rystra'

export const challenge = (seed = 'a', more: Partial<Challenge> = {}): Challenge => ({
  transcript: createHash('sha256').update(seed).digest(),
  clientId: 'nas',
  ...more
})

export const plain: PeerInfo = { address: '192.0.2.1', port: 4711 }
export const overTls = (certificate?: Uint8Array): PeerInfo => ({
  ...plain,
  tls: { version: 'TLSv1.3', cipher: 'x', ...(certificate === undefined ? {} : { certificate }) }
})

export const usual: JWTPayload = { iss: issuer, aud: audience, sub: 'nas', iat: seconds, exp: seconds + 600 }

/** A token with these claims in addition the usual ones; `undefined` leaves one out. */
export const tokenOf = (
  key: CryptoKey | KeyObject | Uint8Array,
  header: JWTHeaderParameters,
  claims: JWTPayload = {}
): Promise<string> =>
  new SignJWT(JSON.parse(JSON.stringify({ ...usual, ...claims })) as JWTPayload).setProtectedHeader(header).sign(key)

/** Any parts as a token, signed with the given key. */
export const forged = (header: object, claims: object, signature: string | Uint8Array = ''): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = typeof signature === 'string' ? signature : Buffer.from(signature).toString('base64url')
  return `${part(header)}.${part(claims)}.${signed}`
}

/** A token under HMAC with any bytes as the secret, whatever the header says. */
export const forgedHmac = (header: object, claims: object, secret: string | Uint8Array): string => {
  const unsigned = forged(header, claims).slice(0, -1)
  return `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`
}

export interface Ready {
  readonly authenticator: Authenticator
  readonly clock: FakeClock
  readonly warnings: () => string[]
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

type Written = Parameters<typeof authJwt>[0]

export const ready = (options: unknown, { dir, role = 'server' }: { dir?: string; role?: Side } = {}): Ready => {
  const clock = new FakeClock(now)
  const made = setUpExtension(authJwt(options as Written), role, { clock, ...(dir === undefined ? {} : { dir }) })
  const [authenticator] = made.registered('authenticators')
  if (authenticator === undefined) throw new Error('nothing was registered')
  return {
    authenticator,
    clock,
    warnings: () => made.lines.filter(({ level }) => level === 'warn').map(({ message }) => message),
    start: () => made.start(),
    stop: () => made.stop()
  }
}

/** What a server says to a token that comes as it should. */
export const answerTo = async (server: Ready, token: string, peer = overTls()): Promise<AuthAnswer> => {
  const client = ready({ token }, { role: 'client' }).authenticator
  const proof = await client.prove?.(challenge(), peer)
  if (proof === undefined || server.authenticator.verify === undefined) throw new Error('a half is missing')
  return server.authenticator.verify(proof.proof, challenge(), peer) as Promise<AuthAnswer>
}

/** The id that was found, or `refused: why`. */
export const outcome = async (server: Ready, token: string, peer?: PeerInfo): Promise<string> => {
  const answer = await answerTo(server, token, peer)
  return 'deny' in answer ? `refused: ${answer.deny}` : answer.identity.id
}
