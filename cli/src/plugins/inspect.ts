import { type JsonSchema, jsonSchema, loadConfig } from '@rystra/config'
import type { ExtensionEntry, ExtensionInspection, TapInspection } from '@rystra/kernel'
import { isRystraError, RystraError, type Side } from '@rystra/model'
import { hookNames } from '@rystra/plugin'
import { defaultsOf, type OptionDefault } from '../edit/index.js'
import { type PlannedUse, planExtensions, type Provisioned, provisionSide, sidesOf } from '../provision.js'

/** One extension that would be loaded. */
export interface Listed {
  readonly name: string
  /** As the configuration names it, or the package of the preset. */
  readonly use: string
  readonly version?: string
  readonly from: 'config' | 'preset'
}

/** One extension, as one side sees it. */
export interface InspectedSide {
  readonly side: Side
  readonly registers: readonly string[]
  readonly requires: readonly string[]
  readonly taps: readonly { readonly hook: string; readonly stage: number; readonly position: number }[]
}

/** One extension, with everything that is known of it. */
export interface InspectedExtension extends Listed {
  /** As they would be used; secrets are left out. */
  readonly options: unknown
  readonly defaults: readonly OptionDefault[]
  readonly schema: JsonSchema
  readonly sides: readonly InspectedSide[]
}

/** The taps of a hook, in the order in which they are called. */
export interface HookOrder {
  readonly side: Side
  readonly hook: string
  readonly taps: readonly { readonly extension: string; readonly stage: number; readonly onFailure: string }[]
}

/** Everything, or one extension. */
export interface Inspection {
  readonly extensions: readonly InspectedExtension[]
  readonly hooks: readonly HookOrder[]
}

interface Where {
  readonly cwd: string
  readonly config?: string | undefined
}

/** The configuration; without one, what the preset alone makes. */
const load = async ({ cwd, config: file }: Where) => {
  try {
    return await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  } catch (error) {
    if (file !== undefined || !isRystraError(error) || error.code !== 'config.not-found') throw error
    return { config: { extensions: [] as ExtensionEntry[] }, dir: cwd, path: undefined }
  }
}

const nameOf = ({ name, extension }: PlannedUse): string => name ?? extension.definition.name

const listed = (use: PlannedUse): Listed => ({
  name: nameOf(use),
  use: use.written,
  ...(use.package === undefined ? {} : { version: use.package.version }),
  from: use.from
})

/** What would be loaded, in the order in which it is set up. */
export const listExtensions = async (where: Where): Promise<{ config?: string; extensions: Listed[] }> => {
  const loaded = await load(where)
  const uses = await planExtensions(loaded.config.extensions as ExtensionEntry[], loaded.dir)
  return { ...(loaded.path === undefined ? {} : { config: loaded.path }), extensions: uses.map(listed) }
}

const tapsOf = (name: string, hooks: Readonly<Record<string, readonly TapInspection[]>>): InspectedSide['taps'] =>
  Object.entries(hooks).flatMap(([hook, taps]) =>
    taps.flatMap(({ extension, stage }, i) => (extension === name ? [{ hook, stage, position: i + 1 }] : []))
  )

/** Taps in their order, registrations and options: of all extensions, or of one by its name, package or path. */
export const inspectExtensions = async (where: Where, what?: string): Promise<Inspection> => {
  const loaded = await load(where)
  const uses = await planExtensions(loaded.config.extensions as ExtensionEntry[], loaded.dir)
  const wanted = what === undefined ? uses : uses.filter((use) => nameOf(use) === what || use.written === what)
  if (wanted.length === 0) {
    throw new RystraError('extension.not-found', {
      detail: `${what} is not loaded; loaded: ${uses.map(nameOf).join(', ')}`,
      hint: 'see `rystra plugins:list`'
    })
  }
  const sides = sidesOf(loaded.config as Parameters<typeof sidesOf>[0])
  const halves: Provisioned[] = []
  // Not checked against the rest of the configuration: what is loaded can be looked at while a proxy is misspelt.
  for (const side of sides)
    halves.push(await provisionSide(loaded as Parameters<typeof provisionSide>[0], uses, side, false))
  const names = new Set(wanted.map(nameOf))
  return {
    extensions: wanted.map((use) => inspected(use, halves)),
    hooks: halves.flatMap(({ side, inspection }) =>
      hookNames.flatMap((hook): HookOrder[] => {
        const taps = inspection.hooks[hook]
        if (!taps.some(({ extension }) => names.has(extension))) return []
        return [{ side, hook, taps: taps.map(({ extension, stage, onFailure }) => ({ extension, stage, onFailure })) }]
      })
    )
  }
}

const inspected = (use: PlannedUse, halves: readonly Provisioned[]): InspectedExtension => {
  const name = nameOf(use)
  const seen = halves.flatMap(({ side, inspection }) =>
    inspection.extensions
      .filter((extension) => extension.name === name)
      .map((extension) => ({ side, extension, inspection }))
  )
  const schema = use.extension.definition.options
  return {
    ...listed(use),
    options: (seen[0]?.extension as ExtensionInspection | undefined)?.options ?? {},
    defaults: schema === undefined ? [] : defaultsOf(schema),
    schema: jsonSchema([{ use: use.written, extension: use.extension }]),
    sides: seen.map(({ side, extension, inspection }) => ({
      side,
      registers: extension.registers,
      requires: extension.requires,
      taps: tapsOf(name, inspection.hooks)
    }))
  }
}
