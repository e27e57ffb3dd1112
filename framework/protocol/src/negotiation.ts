/** The feature of ends that know several rounds of authentication: AuthChallenge. */
export const AUTH_ROUNDS = 'auth-rounds'

/** The first of `preferred` that is among `offered`; `undefined` when none is. The preference of the server decides. */
export const choose = (preferred: readonly string[], offered: readonly string[]): string | undefined =>
  preferred.find((name) => offered.includes(name))

/** What is in both, in the order of `offered`, each once. */
export const common = (supported: readonly string[], offered: readonly string[]): string[] =>
  offered.filter((name, index) => supported.includes(name) && offered.indexOf(name) === index)
