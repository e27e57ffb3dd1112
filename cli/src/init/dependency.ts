import { realpath } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import { packageRoot } from '../package-root.js'
import { findCheckout, readPackage } from '../project/checkout.js'

/** Of the checkout this command runs from, if it does: nothing has to be published. Otherwise this very version. */
export const dependencyOn = async (name: string, dir: string): Promise<string> => {
  const local = (await findCheckout())?.packages.get(name)
  if (local === undefined) return (await readPackage(packageRoot))?.version ?? '*'
  const path = relative(dir, await realpath(local.dir))
    .split(sep)
    .join('/')
  return `file:${path.startsWith('.') ? path : `./${path}`}`
}
