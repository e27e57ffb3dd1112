import { RystraError, type SessionInfo } from '@rystra/model'
import type { Authenticator, Identity, Registry } from '@rystra/plugin'

/** How the client of a session was authenticated. */
export interface SessionProof {
  readonly method: string
  /** See `Accepted.credential`. */
  readonly credential: string | undefined
}

/** A session whose rights are reviewed. */
export interface Reviewed {
  readonly info: SessionInfo
  readonly proof: SessionProof
}

/** The identity that the session has now; nothing when that cannot be told. Throws `auth.refused` when it has none. */
export const reviewSession = (
  { info, proof: { method, credential } }: Reviewed,
  authenticators: Registry<Authenticator>
): Identity | undefined => {
  const refused = (detail: string): RystraError => new RystraError('auth.refused', { side: 'server', detail })
  const found = authenticators.has(method) ? authenticators.get(method) : undefined
  if (found?.verify === undefined) throw refused(`the method ${method} is no longer configured`)
  const { identity, client, peer } = info
  const session = { identity, clientId: client.id, peer, ...(credential === undefined ? {} : { credential }) }
  const answer = answerOf(found, session)
  if (answer === undefined) return undefined
  if ('deny' in answer) throw refused(answer.deny)
  if (answer.identity.id !== identity.id) throw refused('its credentials are of another identity')
  return answer.identity
}

/** One that fails cannot tell. */
const answerOf = (
  { review }: Authenticator,
  session: Parameters<NonNullable<Authenticator['review']>>[0]
): ReturnType<NonNullable<Authenticator['review']>> => {
  try {
    return review?.(session)
  } catch {
    return undefined
  }
}
