import { type Extension, type ExtensionUse, isExtension, RystraError, type TSchema } from '@rystra/plugin'
import type { InstancePlan, PackageInfo } from './instance.js'
import { type OptionProblem, OptionsError, validateOptions } from './options/validate.js'

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
    const name = use.name ?? definitionOf(use.extension).name
    checkName(name)
    if (names.has(name)) {
      throw new RystraError('extension.duplicate', {
        detail: `the name ${name} is used twice`,
        hint: 'remove one of the two, or give one another `name`'
      })
    }
    names.add(name)
    const validated = validateOptions(name, definitionOf(use.extension).options, use.options)
    if ('problems' in validated) problems.push(...validated.problems)
    else plans.push({ name, extension: use.extension, package: use.package, options: validated.options })
  }
  if (problems.length > 0) throw new OptionsError(problems)
  return plans
}

/** A name that is allowed in logs, in paths of errors, and on a command line. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@/-]{0,127}$/

const checkName = (name: unknown): void => {
  if (typeof name === 'string' && namePattern.test(name)) return
  throw new RystraError('extension.not-an-extension', {
    detail: `${JSON.stringify(name)} is not a name for an extension`,
    hint: 'a name has 1 to 128 letters, digits and . _ @ / -'
  })
}

/** What an extension says of itself. defineExtension() checks no types: an author may write JavaScript. */
const definitionOf = (extension: Extension): Extension['definition'] & { readonly options: TSchema } => {
  if (!isExtension(extension)) {
    throw new RystraError('extension.not-an-extension', { detail: 'something else was given as one' })
  }
  const { definition } = extension
  const { options } = definition
  if (typeof definition.setup !== 'function') {
    throw new RystraError('extension.not-an-extension', { detail: `${definition.name} has no setup()` })
  }
  if (!isSchema(options)) {
    throw new RystraError('extension.not-an-extension', {
      detail: `the options of ${definition.name} are not a TypeBox schema`,
      hint: 'write `options: Type.Object({ … })`'
    })
  }
  return definition as Extension['definition'] & { readonly options: TSchema }
}

const isSchema = (value: unknown): value is TSchema =>
  typeof value === 'object' && value !== null && Symbol.for('TypeBox.Kind') in value
