import { redactConfig, type ResolvedConfig } from '@rystra/config'
import type { GenerationRef } from '@rystra/kernel'
import type { TSchema } from '@rystra/plugin'

/** The schemas, also by the paths of files as the configuration has them. */
const withPaths = (config: ResolvedConfig, schemas: ReadonlyMap<string, TSchema>): ReadonlyMap<string, TSchema> => {
  const found = new Map(schemas)
  for (const entry of config.extensions) {
    const { use } = entry as { readonly use?: unknown }
    if (typeof use !== 'string' || !use.startsWith('.')) continue
    const end = use.replace(/^(?:\.{1,2}\/)+/, '/')
    const file = [...schemas.keys()].find((key) => key.endsWith(end))
    if (file !== undefined) found.set(use, schemas.get(file) as TSchema)
  }
  return found
}

/** A configuration for people and programs to read: what schemas mark as secret, and credentials in URLs, are left out. */
export const publicConfig = (
  config: ResolvedConfig,
  { optionSchemas, registries }: Pick<GenerationRef, 'optionSchemas' | 'registries'>
): object => redactConfig(config, { extensions: withPaths(config, optionSchemas), registries }) as object
