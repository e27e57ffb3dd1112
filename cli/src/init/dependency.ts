import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { packageRoot } from '../package-root.js'
import { findCheckout, readPackage } from '../project/checkout.js'

/**
 * Of the checkout this command runs from, if it does: nothing has to be published, and no registry asked. Otherwise
 * `version`. @default this very version
 */
export const dependencyOn = async (name: string, dir: string, version?: string): Promise<string> => {
  const checkout = await findCheckout()
  const installed = join(checkout?.dir ?? packageRoot, 'node_modules', name)
  const local =
    checkout?.packages.get(name)?.dir ?? (checkout !== undefined && existsSync(installed) ? installed : undefined)
  if (local === undefined) return version ?? (await readPackage(packageRoot))?.version ?? '*'
  const path = relative(dir, await realpath(local))
    .split(sep)
    .join('/')
  return `file:${path.startsWith('.') ? path : `./${path}`}`
}
