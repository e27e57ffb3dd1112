import type { Problem } from '@rystra/config'
import type { OptionProblem } from '@rystra/kernel'
import { toRystraError } from '@rystra/model'
import type { PlanProblem } from '@rystra/plugin'

/** By shape: several copies of the packages that throw them may be installed. */
const listed = (cause: unknown): readonly (Problem | OptionProblem)[] => {
  const { problems } = (cause ?? {}) as { problems?: unknown }
  return Array.isArray(problems) ? problems : []
}

/** What is wrong with a configuration, by path, of the error that refused it. */
export const problemsOf = (cause: unknown): readonly PlanProblem[] => {
  const { code, message, hint } = toRystraError(cause)
  const problems = listed(cause).map((problem) => {
    const where = 'extension' in problem ? `extensions[${problem.extension}].${problem.path}` : problem.path
    const also = 'hint' in problem && problem.hint !== undefined ? `: ${problem.hint}` : ''
    return { path: where, code, reason: `got ${problem.value}, expected ${problem.expected}${also}` }
  })
  return problems.length > 0 ? problems : [{ path: '', code, reason: `${message}; ${hint}` }]
}
