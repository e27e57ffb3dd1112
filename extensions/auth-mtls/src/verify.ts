import type { AuthAnswer, Authenticator, Clock } from '@rystra/plugin'
import { type CertificateFacts, readCertificate } from './certificate.js'
import { checkProof } from './proof.js'
import type { Revocation } from './revocation.js'
import type { Rule } from './rules.js'

/** Describes a certificate in the log. */
const shown = ({ fingerprint }: CertificateFacts): string => `certificate sha256:${fingerprint}`

const decide = (facts: CertificateFacts, rules: readonly Rule[], revocation: Revocation, now: number): AuthAnswer => {
  // Resumed TLS sessions, and transports with another clock, may accept an expired certificate.
  if (now > facts.notAfter) return { deny: `${shown(facts)} has expired` }
  if (now < facts.notBefore) return { deny: `${shown(facts)} is not valid yet` }
  const objection = revocation.objection(facts)
  if (objection !== undefined) return { deny: `${shown(facts)}: ${objection}` }
  for (const rule of rules) {
    const answer = rule(facts)
    if (answer === undefined) continue
    return 'deny' in answer ? { deny: `${shown(facts)}: ${answer.deny}` } : answer
  }
  return { deny: `${shown(facts)}: no rule matches` }
}

/** The server half: verifies a certificate. */
export const verifier =
  (rules: readonly Rule[], revocation: Revocation, clock: Clock): NonNullable<Authenticator['verify']> =>
  async (proof, challenge, { tls }) => {
    if (tls?.certificate === undefined) return { deny: 'the link has no verified certificate' }
    if (!checkProof(proof, challenge)) return { deny: 'proof of another handshake' }
    let facts: CertificateFacts
    try {
      facts = readCertificate(tls.certificate)
    } catch (error) {
      return { deny: `malformed certificate: ${(error as Error).message}` }
    }
    await revocation.refresh()
    return decide(facts, rules, revocation, clock.now())
  }

/** The server half: whether a session would still be accepted, by the certificate of its link. */
export const reviewer =
  (rules: readonly Rule[], revocation: Revocation, clock: Clock): NonNullable<Authenticator['review']> =>
  ({ peer: { tls } }) =>
    tls?.certificate === undefined
      ? undefined
      : decide(readCertificate(tls.certificate), rules, revocation, clock.now())
