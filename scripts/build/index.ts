import { bundle, isBundled } from './bundle.js'
import { removeStale } from './stale.js'
import { packages } from './packages.js'
import { compile } from './types.js'

/**
 * Brings `dist` of every package up to date: declarations by the compiler, which checks the types, and code by esbuild. Says package by
 * package what it does. Rejects when something does not compile.
 */
export const build = async (say: (line: string) => void): Promise<void> => {
  const all = packages()
  const bundles = all
    .filter((one) => !isBundled(one))
    .map(async (one) => {
      await bundle(one)
      say(`bundled ${one.name}`)
    })
  const results = await Promise.allSettled([compile(say), ...bundles])
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason?.message)] : []))
  if (failed.length > 0) throw new Error(`the build failed:\n${failed.join('\n')}`)
  for (const one of all) removeStale(one)
}
