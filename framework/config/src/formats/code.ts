import { pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import type { ReadFormat } from './format.js'
import { syntax } from './syntax.js'

/** A module: its default export is the configuration, or a function of the environment that returns it. */
export const read: ReadFormat = async (file, _text, env) => {
  // No caches: a reload has to see what the file says now, and nothing is left on disk.
  const jiti = createJiti(pathToFileURL(file).href, { moduleCache: false, fsCache: false, interopDefault: false })
  const module = await jiti.import<Record<string, unknown>>(file)
  const isEsm =
    typeof module === 'object' && module !== null && ('__esModule' in module || Symbol.toStringTag in module)
  const exported: unknown = isEsm ? module.default : module
  const config: unknown = typeof exported === 'function' ? await exported({ ...env }) : exported
  if (typeof config !== 'object' || config === null)
    throw syntax(file, 'expected a configuration as the default export, or a function that returns one')
  return config
}
