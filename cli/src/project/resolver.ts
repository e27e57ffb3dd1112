import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packageRoot } from '../package-root.js'
import { findCheckout } from './checkout.js'

/** The folder of an installed package, as Node would find it from `dir`. */
const installed = (name: string, dir: string): string | undefined => {
  for (let at = dir; ; at = dirname(at)) {
    const folder = join(at, 'node_modules', name)
    if (existsSync(join(folder, 'package.json'))) return folder
    if (at === dirname(at)) return undefined
  }
}

/**
 * Where packages are found: what the project has installed, else what this command brings along, its preset above all,
 * else, in a checkout, what lies beside it.
 */
export const packageResolver = async (dir: string): Promise<(name: string) => string | undefined> => {
  const checkout = await findCheckout()
  return (name) => installed(name, dir) ?? installed(name, packageRoot) ?? checkout?.packages.get(name)?.dir
}
