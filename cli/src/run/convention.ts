import { nearest } from '@rystra/kernel'
import { packageFor } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { knownPackages, otherPackages, presetPackages } from '../preset.js'
import { packageResolver } from '../project/resolver.js'

/** The package of ours that provides something: `@rystra/transport-ws` for `transport:wss`. None is made up. */
export const packageOf = (capability: string): string | undefined => {
  const name = otherPackages[capability] ?? packageFor(capability)
  return name !== undefined && knownPackages.includes(name) ? name : undefined
}

/**
 * Packages that things named on the command line need beyond the preset, by the names such packages have:
 * `transport:tls` → `@rystra/transport-tls`. One that is not of ours is taken where it is installed. Throws
 * `registry.unknown` when one is not installed, or is not known.
 */
export const packagesFor = async (dir: string, ...capabilities: readonly string[]): Promise<string[]> => {
  const resolve = await packageResolver(dir)
  const needed: string[] = []
  for (const capability of capabilities) {
    const name = otherPackages[capability] ?? packageFor(capability)
    if (name === undefined || presetPackages.includes(name)) continue
    if (resolve(name) === undefined) throw missing(capability)
    needed.push(name)
  }
  return needed
}

/** What there is of a word, by the names of packages: `tcp`, `udp` for `kind`. */
const namesOf = (word: string): string[] => {
  const prefix = packageFor(`${word}:x`)?.slice(0, -1) ?? '-'
  const others = Object.keys(otherPackages).flatMap((capability) =>
    capability.startsWith(`${word}:`) ? [capability.slice(word.length + 1)] : []
  )
  return [...knownPackages.flatMap((one) => (one.startsWith(prefix) ? [one.slice(prefix.length)] : [])), ...others]
}

const missing = (capability: string): RystraError => {
  const [word = '', wanted = ''] = capability.split(':')
  const names = namesOf(word)
  const name = packageOf(capability)
  const meant = nearest(wanted, names)
  const hint =
    name !== undefined
      ? `run \`rystra plugins:add ${name}\` in a project, or \`npm install ${name}\` in this folder`
      : meant !== undefined
        ? `did you mean ${meant}?`
        : 'check the spelling; an extension of your own is listed in a configuration'
  return new RystraError('registry.unknown', {
    detail: `no ${word} named ${JSON.stringify(wanted)}${name === undefined ? `; there are ${names.join(', ')}` : `: ${name} is not installed`}`,
    hint
  })
}
