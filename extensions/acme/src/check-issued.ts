import { type CertificatePair, isRystraError } from '@rystra/plugin'
import { checkKeyPair } from '@rystra/tls'
import { OrderFailure } from './failure.js'

/** What an authority gave, if it can be used for a host. Throws an {@link OrderFailure}. */
export const checkIssued = (pair: CertificatePair, host: string, now: number): CertificatePair => {
  const fail = (detail: string): never => {
    throw new OrderFailure('certificate', detail)
  }
  try {
    const { leaf } = checkKeyPair(pair.cert, pair.key, 'the certificate', 'the key')
    if (leaf.checkHost(host) === undefined) fail(`it is not for ${host}`)
    if (Date.parse(leaf.validTo) <= now) fail(`it expired on ${leaf.validTo}`)
  } catch (error) {
    if (error instanceof OrderFailure) throw error
    fail((isRystraError(error) ? error.detail : undefined) ?? (error as Error).message)
  }
  return pair
}
