import type { TSchema } from '@rystra/plugin'

/** One option that an extension has a default for. */
export interface OptionDefault {
  readonly key: string
  readonly value: unknown
  readonly description?: string
}

/** An entry of `extensions` to be written. */
export interface NewEntry {
  readonly use: string
  /** Written as they are. */
  readonly options: Readonly<Record<string, unknown>>
  /** Written as comments, or as values where a format has no comments. Those in `options` are left out. */
  readonly defaults: readonly OptionDefault[]
}

const descriptionLength = 100

/** What a schema says of its options, for comments beside them. */
export const defaultsOf = (schema: TSchema): OptionDefault[] =>
  Object.entries((schema.properties ?? {}) as Record<string, TSchema>).flatMap(([key, property]) => {
    if (property.default === undefined) return []
    const text = (property.description ?? '').replaceAll(/\s+/g, ' ').trim()
    const description = text.length > descriptionLength ? `${text.slice(0, descriptionLength - 1)}…` : text
    return [{ key, value: property.default as unknown, ...(description === '' ? {} : { description }) }]
  })

/** Those that are not set. */
export const unset = ({ options, defaults }: NewEntry): readonly OptionDefault[] =>
  defaults.filter(({ key }) => !Object.hasOwn(options, key))

/** Set options, and the defaults of the others: for formats without comments. */
export const allOptions = (entry: NewEntry): Record<string, unknown> => ({
  ...entry.options,
  ...Object.fromEntries(unset(entry).map(({ key, value }) => [key, value]))
})
