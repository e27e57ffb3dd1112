import { RystraError, toRystraError } from '@rystra/model'
import { type Check, CHECK_TIMEOUT_MS, fail, type Finding } from './finding.js'

/** What all checks came to. */
export interface Ran {
  readonly findings: readonly Finding[]
  /** Whether one of them had not ended at its limit: something of it may still be under way. */
  readonly late: boolean
}

/** The detail of an error without the words of its code. */
const failed = (name: string, thrown: unknown): Finding => {
  const { message, hint } = toRystraError(thrown)
  return fail(name, `${message}.`, hint)
}

/** Runs checks at once, each within its limit. Never rejects; the order is that of the checks. */
export const runChecks = async (checks: readonly Check[], timeout = CHECK_TIMEOUT_MS): Promise<Ran> => {
  let late = false
  const run = async ({ name, run: work }: Check): Promise<readonly Finding[]> => {
    const limit = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<readonly Finding[]>((resolve) => {
      timer = setTimeout(() => {
        late = true
        limit.abort(new RystraError('connect.unreachable', { detail: `no answer within ${timeout / 1000} s` }))
        resolve([
          fail(name, `No answer within ${timeout / 1000} s.`, 'look for what blocks it: a firewall, a resolver, a disk')
        ])
      }, timeout)
    })
    const done = (async () => work(limit.signal))().catch((error: unknown) => [failed(name, error)])
    return Promise.race([done, over]).finally(() => clearTimeout(timer))
  }
  const findings = (await Promise.all(checks.map(run))).flat()
  return { findings, late }
}
