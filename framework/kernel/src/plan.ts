import { type ExtensionUse, RystraError } from '@rystra/plugin'
import type { InstancePlan, PackageInfo } from './instance.js'
import { type OptionProblem, OptionsError, validateOptions } from './options.js'

/** An extension to be used, and what is known of it besides. */
export interface KernelUse extends ExtensionUse {
  /** Another name for this instance, for an extension that is used twice. @default the extension's */
  readonly name?: string
  /** Where it was loaded from. */
  readonly package?: PackageInfo
}

/**
 * Validates the options of all. Throws `extension.duplicate`, or an {@link OptionsError} with everything that is wrong.
 */
export const planUses = (uses: readonly KernelUse[]): InstancePlan[] => {
  const plans: InstancePlan[] = []
  const problems: OptionProblem[] = []
  const names = new Set<string>()
  for (const use of uses) {
    const { definition } = use.extension
    const name = use.name ?? definition.name
    if (names.has(name)) {
      throw new RystraError('extension.duplicate', {
        detail: `the name ${name} is used twice`,
        hint: 'remove one of the two, or give one another `name`'
      })
    }
    names.add(name)
    const validated = validateOptions(name, definition.options!, use.options)
    if ('problems' in validated) problems.push(...validated.problems)
    else plans.push({ name, extension: use.extension, package: use.package, options: validated.options })
  }
  if (problems.length > 0) throw new OptionsError(problems)
  return plans
}
