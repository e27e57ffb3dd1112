import { packageFor } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { otherPackages, presetPackages } from '../preset.js'
import { packageResolver } from '../project/resolver.js'

/**
 * Packages that things named on the command line need beyond the preset, by the names such packages have:
 * `transport:tls` → `@rystra/transport-tls`, `transport:wss` → `@rystra/transport-ws`. Throws `registry.unknown` when one is not installed.
 */
export const packagesFor = async (dir: string, ...capabilities: readonly string[]): Promise<string[]> => {
  const resolve = await packageResolver(dir)
  const needed: string[] = []
  for (const capability of capabilities) {
    const name = otherPackages[capability] ?? packageFor(capability)
    if (name === undefined || presetPackages.includes(name)) continue
    if (resolve(name) === undefined) throw missing(capability, name)
    needed.push(name)
  }
  return needed
}

const missing = (capability: string, name: string): RystraError => {
  const [word = '', wanted = ''] = capability.split(':')
  const known = presetPackages.flatMap((one) => {
    const prefix = packageFor(`${word}:x`)?.slice(0, -1) ?? '-'
    return one.startsWith(prefix) ? [one.slice(prefix.length)] : []
  })
  return new RystraError('registry.unknown', {
    detail: `no ${word} named ${JSON.stringify(wanted)}; there are ${known.join(', ')}`,
    hint: `check the spelling; if it is an extension, \`npm install ${name}\` in this folder, or, in a project, \`rystra plugins:add ${name}\``
  })
}
