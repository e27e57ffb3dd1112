import type { AuthAnswer, Authenticator, Clock, PeerInfo } from '@rystra/plugin'
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from 'jose'
import { createHash } from 'node:crypto'
import type { Issuer } from './issuer.js'
import type { Algorithm } from './options.js'
import { tokenOf } from './proof.js'

/** Unverified text of a token for the log, quoted and shortened. */
const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 80) ?? 'nothing'

/** The issuer that a token names. Throws for untrusted ones. */
const issuerOf = (token: string, issuers: readonly Issuer[]): Issuer => {
  const { iss } = decodeJwt(token)
  const found = issuers.find(({ options: { issuer } }) => issuer === undefined || issuer === iss)
  if (found === undefined) throw new Error(`untrusted issuer ${shown(iss)}`)
  return found
}

const optionsOf = ({ options, algorithms }: Issuer, now: number): JWTVerifyOptions => {
  const { issuer, audience, clockTolerance, maxTokenAge, requireExpiry } = options
  return {
    algorithms: [...algorithms],
    currentDate: new Date(now),
    clockTolerance: clockTolerance / 1000,
    requiredClaims: requireExpiry ? ['exp'] : [],
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience: audience as string | string[] }),
    ...(maxTokenAge === undefined ? {} : { maxTokenAge: maxTokenAge / 1000 })
  }
}

/** The claims of a token with valid signature and times. Throws otherwise; the text is for the log. */
const verified = async (token: string, issuer: Issuer, now: number): Promise<JWTPayload> => {
  const { alg, kid } = decodeProtectedHeader(token)
  // Checked before any key lookup: excludes `none`, and HMAC with a public key.
  if (!issuer.algorithms.includes(alg as Algorithm)) throw new Error(`algorithm ${shown(alg)} is not allowed`)
  const keys = await issuer.keys.find({ alg: alg as Algorithm, ...(typeof kid === 'string' ? { kid } : {}) })
  const options = optionsOf(issuer, now)
  let failure: unknown = new Error('no key matches')
  for (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      failure = error
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) break
    }
  }
  throw failure
}

/** RFC 7800: a token bound to a key is valid only with it. Certificate binding: RFC 8705 section 3. */
const bindingProblem = ({ cnf }: JWTPayload, { tls }: PeerInfo): string | undefined => {
  if (cnf === undefined) return undefined
  const thumbprint = (cnf as { 'x5t#S256'?: unknown } | null)?.['x5t#S256']
  if (typeof thumbprint !== 'string' || Object.keys(cnf as object).length !== 1) {
    return 'unsupported key binding (cnf)'
  }
  if (tls?.certificate === undefined) return 'bound to a certificate, but the link has none'
  const own = createHash('sha256').update(tls.certificate).digest('base64url')
  return own === thumbprint ? undefined : 'bound to another certificate'
}

/** The server half: verifies a token. */
export const verifier =
  (issuers: readonly Issuer[], clock: Clock): NonNullable<Authenticator['verify']> =>
  async (proof, challenge, peer): Promise<AuthAnswer> => {
    const found = tokenOf(proof, challenge)
    if ('deny' in found) return found
    try {
      const issuer = issuerOf(found.token, issuers)
      const claims = await verified(found.token, issuer, clock.now())
      const problem = bindingProblem(claims, peer) ?? issuer.problem(claims)
      if (problem !== undefined) return { deny: `token: ${problem}` }
      const identity = issuer.identity(claims)
      if ('deny' in identity) return { deny: `token: ${identity.deny}` }
      const rights = issuer.rights(claims)
      return { identity: { id: identity.id, ...(rights === undefined ? {} : { rights }) } }
    } catch (error) {
      return { deny: `token: ${(error as Error).message}` }
    }
  }
