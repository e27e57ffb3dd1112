/** What one check came to. */
export type Outcome = 'ok' | 'warn' | 'fail' | 'skip'

/** One thing that was found. */
export interface Finding {
  /** Name of the check: `dns`. */
  readonly check: string
  readonly outcome: Outcome
  /** One sentence, for people. */
  readonly text: string
  /** What to do about it. */
  readonly hint?: string
}

/** A check, with its limit of time. */
export interface Check {
  readonly name: string
  /** Rejects with what failed. `signal` is aborted at the limit. */
  run(signal: AbortSignal): Promise<readonly Finding[]>
}

/** Milliseconds of one check. They run at once, so that this is about the time of all of them. */
export const CHECK_TIMEOUT_MS = 8000

export const ok = (check: string, text: string): Finding => ({ check, outcome: 'ok', text })
export const warn = (check: string, text: string, hint: string): Finding => ({ check, outcome: 'warn', text, hint })
export const fail = (check: string, text: string, hint: string): Finding => ({ check, outcome: 'fail', text, hint })
export const skip = (check: string, text: string): Finding => ({ check, outcome: 'skip', text })
