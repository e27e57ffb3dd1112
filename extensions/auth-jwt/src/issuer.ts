import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import path from 'node:path'
import { type Claims, identityOf, requirements, rightsOf } from './claims.js'
import { urlFault } from './fetch-text.js'
import { FileKeys } from './file-keys.js'
import { asymmetric, hmac, hmacAlgorithms, jwksKeys, type KeySource, publicKeys, secretKeys } from './keys.js'
import type { Algorithm, TrustedIssuer } from './options.js'
import { RemoteKeys } from './remote-keys.js'

/** The part of the extension's context that an issuer uses. */
export interface IssuerHost {
  readonly dir: string
  readonly log: Logger
  readonly clock: Clock
}

/** A trusted issuer, ready for use. */
export interface Issuer {
  readonly options: TrustedIssuer
  readonly keys: KeySource
  readonly algorithms: readonly Algorithm[]
  /** The problem of verified claims, if any. */
  readonly problem: (claims: Claims) => string | undefined
  readonly identity: ReturnType<typeof identityOf>
  readonly rights: ReturnType<typeof rightsOf>
}

const bad = (detail: string): RystraError => new RystraError('extension.options', { detail })

const secretSource = (secret: string, where: string): KeySource => {
  try {
    const keys = secretKeys(secret)
    return { ...keys, algorithms: hmacAlgorithms(Buffer.byteLength(secret)), load: async () => {}, stop: () => {} }
  } catch (error) {
    throw bad(`${where}: ${(error as Error).message}`)
  }
}

const remoteSource = (
  address: string,
  options: TrustedIssuer,
  { log, clock }: IssuerHost,
  where: string
): KeySource => {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const fault = url === undefined ? 'is not a URL' : urlFault(url)
  // The URL is not shown: it may contain credentials.
  if (url === undefined || fault !== undefined) throw bad(`${where}.jwks ${fault}`)
  return new RemoteKeys(url, options.jwksCache, log, clock)
}

const sourceOf = (options: TrustedIssuer, host: IssuerHost, where: string): KeySource => {
  const { secret, secretFile, publicKey, jwks } = options
  const given = Object.entries({ secret, secretFile, publicKey, jwks }).filter(([, value]) => value !== undefined)
  if (given.length !== 1) throw bad(`${where}: exactly one of secret, secretFile, publicKey and jwks is required`)
  const file = (name: string, algorithms: readonly Algorithm[], parse: typeof jwksKeys): KeySource =>
    new FileKeys(path.resolve(host.dir, name), algorithms, parse, host.log, host.clock)
  if (secret !== undefined) return secretSource(secret, where)
  if (secretFile !== undefined) return file(secretFile, hmac, (text) => secretKeys(text.replace(/\r?\n$/, '')))
  if (publicKey !== undefined) return file(publicKey, asymmetric, publicKeys)
  const address = jwks as string
  return /^https?:/i.test(address) ? remoteSource(address, options, host, where) : file(address, asymmetric, jwksKeys)
}

/** Throws `extension.options` for invalid options, and for options that would accept too much. */
export const openIssuer = (options: TrustedIssuer, host: IssuerHost, where: string): Issuer => {
  const { issuer, audience, anyAudience, secret, secretFile, jwks } = options
  const keys = sourceOf(options, host, where)
  if (jwks !== undefined && issuer === undefined)
    throw bad(`${where}: issuer is required with jwks, as several issuers may share a key set`)
  if (audience === undefined && !anyAudience && secret === undefined && secretFile === undefined) {
    throw bad(`${where}: audience is required, or tokens for other services would be accepted; see anyAudience`)
  }
  const foreign = options.algorithms?.find((name) => !keys.algorithms.includes(name))
  if (foreign !== undefined) {
    throw bad(`${where}.algorithms: ${foreign} does not match the key: expected ${keys.algorithms.join(', ')}`)
  }
  return {
    options,
    keys,
    algorithms: options.algorithms ?? keys.algorithms,
    problem: requirements(options.claims ?? {}),
    identity: identityOf(options.identity, `${where}.identity`),
    rights: rightsOf(options.rights, options.rightsFrom)
  }
}
