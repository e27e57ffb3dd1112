import type { AuthAnswer, AuthRound } from '@rystra/plugin'

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What `work` gives, or the reason of the signal: a method that never answers must not keep a link open. */
const within = <Result>(work: Promise<Result> | Result, signal: AbortSignal): Promise<Result> =>
  new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error)
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted, { once: true })
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', aborted))
  })

/**
 * Asks for further proofs until the method has decided. A throw of the method refuses.
 * @param ask sends a challenge, and resolves to the proof that answers it; `undefined` when the client takes no more
 */
export const decide = async (
  begun: AuthAnswer | AuthRound,
  signal: AbortSignal,
  ask: (challenge: Uint8Array) => Promise<Uint8Array | undefined>
): Promise<AuthAnswer> => {
  let answer = begun
  while ('challenge' in answer) {
    const { challenge, next } = answer
    const proof = await ask(challenge)
    if (proof === undefined) return { deny: 'the method needs more rounds than the client takes' }
    try {
      answer = await within(next(proof), signal)
    } catch (error) {
      signal.throwIfAborted()
      return { deny: reasonOf(error) }
    }
  }
  return answer
}
