import type { Authenticator, PeerInfo, Registry } from '@rystra/plugin'

/** What can be used on a link. */
export interface Fitting {
  /** Names of the methods, in the order of their registration. */
  readonly methods: readonly string[]
  /** Why others cannot be used on this link: `mtls: no certificate`. */
  readonly unfit: readonly string[]
}

/**
 * The methods of one half that fit a link. A method that throws when it is asked does not.
 * @param rounds whether the peer knows several rounds, as far as that is known
 */
export const fitting = (
  authenticators: Pick<Registry<Authenticator>, 'list' | 'get'>,
  half: 'prove' | 'verify',
  peer: PeerInfo,
  rounds = true
): Fitting => {
  const methods: string[] = []
  const unfit: string[] = []
  for (const name of authenticators.list()) {
    const authenticator = authenticators.get(name)
    if (authenticator[half] === undefined) continue
    const reason =
      authenticator.rounds === true && !rounds
        ? 'it needs several rounds, which the client does not know'
        : objection(authenticator, peer)
    if (reason === undefined) methods.push(name)
    else unfit.push(`${name}: ${reason}`)
  }
  return { methods, unfit }
}

const objection = (authenticator: Authenticator, peer: PeerInfo): string | undefined => {
  try {
    return authenticator.unfit?.(peer)
  } catch (error) {
    return `it threw ${error}`
  }
}
