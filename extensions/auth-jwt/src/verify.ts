import type { AuthAnswer, Authenticator, Clock, Deny, Identity, PeerInfo } from '@rystra/plugin'
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from 'jose'
import { createHash } from 'node:crypto'
import type { Issuer } from './issuer.js'
import { keyId } from './keys.js'
import type { Algorithm } from './options.js'
import { tokenOf } from './proof.js'

/** Unverified text of a token for the log, quoted and shortened. */
const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 80) ?? 'nothing'

/** The issuer that a token names. Throws for untrusted ones. */
const issuerOf = ({ iss }: JWTPayload, issuers: readonly Issuer[]): Issuer => {
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

/** What a session was accepted by, without its signature: {@link Accepted.credential} as JSON. */
interface Evidence {
  readonly alg: unknown
  /** Id of the key. */
  readonly key: string
  readonly claims: JWTPayload
}

/** What a token with valid signature and times says. Throws otherwise; the text is for the log. */
const verified = async (token: string, issuer: Issuer, now: number): Promise<Evidence> => {
  const { alg, kid } = decodeProtectedHeader(token)
  // Checked before any key lookup: excludes `none`, and HMAC with a public key.
  if (!issuer.algorithms.includes(alg as Algorithm)) throw new Error(`algorithm ${shown(alg)} is not allowed`)
  const keys = await issuer.keys.find({ alg: alg as Algorithm, ...(typeof kid === 'string' ? { kid } : {}) })
  const options = optionsOf(issuer, now)
  let failure: unknown = new Error('no key matches')
  for (const key of keys) {
    try {
      return { alg, key: keyId(key), claims: (await jwtVerify(token, key, options)).payload }
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

/** The identity of verified claims, or what an issuer's options have against them. */
const identityIn = (claims: JWTPayload, issuer: Issuer): { readonly identity: Identity } | Deny => {
  const problem = issuer.problem(claims)
  if (problem !== undefined) return { deny: `token: ${problem}` }
  const identity = issuer.identity(claims)
  if ('deny' in identity) return { deny: `token: ${identity.deny}` }
  const rights = issuer.rights(claims)
  return { identity: { id: identity.id, ...(rights === undefined ? {} : { rights }) } }
}

const isFor = (audience: unknown, { aud }: JWTPayload): boolean =>
  audience === undefined || [audience].flat().some((one) => [aud].flat().includes(one as string))

/**
 * The server half: whether a session would still be accepted, by what its token said. The times of the token are not
 * looked at again, and neither are keys at a URL: identity providers replace those all the time.
 */
export const reviewer =
  (issuers: readonly Issuer[]): NonNullable<Authenticator['review']> =>
  ({ credential }) => {
    if (credential === undefined) return undefined
    const { alg, key, claims } = JSON.parse(credential) as Evidence
    let issuer: Issuer
    try {
      issuer = issuerOf(claims, issuers)
    } catch (error) {
      return { deny: `token: ${(error as Error).message}` }
    }
    const { algorithms, keys, options } = issuer
    if (!algorithms.includes(alg as Algorithm)) return { deny: `token: algorithm ${shown(alg)} is not allowed` }
    if (keys.ids?.has(key) === false) return { deny: 'token: its key is no longer configured' }
    if (!isFor(options.audience, claims)) return { deny: 'token: for another audience' }
    return identityIn(claims, issuer)
  }

/** The server half: verifies a token. */
export const verifier =
  (issuers: readonly Issuer[], clock: Clock): NonNullable<Authenticator['verify']> =>
  async (proof, challenge, peer): Promise<AuthAnswer> => {
    const found = tokenOf(proof, challenge)
    if ('deny' in found) return found
    try {
      const issuer = issuerOf(decodeJwt(found.token), issuers)
      const evidence = await verified(found.token, issuer, clock.now())
      const problem = bindingProblem(evidence.claims, peer)
      if (problem !== undefined) return { deny: `token: ${problem}` }
      const answer = identityIn(evidence.claims, issuer)
      return 'deny' in answer ? answer : { ...answer, credential: JSON.stringify(evidence) }
    } catch (error) {
      return { deny: `token: ${(error as Error).message}` }
    }
  }
