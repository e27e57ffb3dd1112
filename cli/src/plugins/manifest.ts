import { RystraError } from '@rystra/model'
import { satisfies, subset, validRange } from 'semver'
import type { PackageJson } from '../project/checkout.js'
import type { ResolvedPackage } from './spec.js'

/** What can be said of a package before any of its code has run. */
export interface Inspected {
  readonly name: string
  readonly version: string
  readonly from: ResolvedPackage['from']
  readonly license: string
  readonly description: string
  /** Names of scripts that npm would run at installation. */
  readonly scripts: readonly string[]
  readonly deprecated: string | undefined
}

const installScripts = ['preinstall', 'install', 'postinstall', 'prepare']

const contracts = ['@rystra/plugin', 'rystra']

/** The range of the contracts it was written for. */
const contractRange = ({ dependencies, peerDependencies, optionalDependencies }: PackageJson): string | undefined => {
  const all = { ...optionalDependencies, ...dependencies, ...peerDependencies }
  return all['@rystra/plugin'] ?? all['rystra']
}

/**
 * Looks at a package without running it. Throws `extension.not-an-extension` when nothing in it speaks of Rystra, and
 * `extension.incompatible` when it was made for another kernel or another Node.
 */
export const inspectPackage = (found: ResolvedPackage, kernelVersion: string): Inspected => {
  const { name, version, manifest, from } = found
  const range = contractRange(manifest)
  const dev = contracts.some((contract) => manifest.devDependencies?.[contract] !== undefined)
  if (range === undefined && !dev && manifest.keywords?.includes('rystra-extension') !== true) {
    throw new RystraError('extension.not-an-extension', {
      detail: `${name}@${version} neither depends on @rystra/plugin nor has the keyword rystra-extension`
    })
  }
  const node = manifest.engines?.['node']
  if (node !== undefined && validRange(node) !== null && !satisfies(process.version, node)) {
    throw new RystraError('extension.incompatible', {
      detail: `${name}@${version} needs Node ${node}; this is ${process.version}`,
      hint: 'install that Node, or a version of the extension made for this one'
    })
  }
  // Paths, tags and the like say nothing of a version.
  const comparable = range !== undefined && validRange(range) !== null
  if (comparable && !satisfies(kernelVersion, range, { includePrerelease: true }) && !subset(range, kernelVersion)) {
    throw new RystraError('extension.incompatible', {
      detail: `${name}@${version} is made for Rystra ${range}; this is ${kernelVersion}`
    })
  }
  const { license = 'not said', description = '', scripts = {} } = manifest
  return {
    name,
    version,
    from,
    license: typeof license === 'string' ? license : 'not said',
    description,
    scripts: installScripts.filter(
      (script) => Object.hasOwn(scripts, script) && (from === 'folder' || script !== 'prepare')
    ),
    deprecated: (manifest as { deprecated?: string }).deprecated
  }
}
