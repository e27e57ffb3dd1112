import type { ExtensionEntry } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { tokenPackage } from '../preset.js'

/** The token given, or that of the environment. Throws `usage.invalid` for one that is empty. */
export const givenToken = (flag: string | undefined, env: NodeJS.ProcessEnv = process.env): string | undefined => {
  const token = flag ?? (env['RYSTRA_TOKEN'] === '' ? undefined : env['RYSTRA_TOKEN'])
  if (token === undefined || (token.length > 0 && token.length <= 1024)) return token
  throw new RystraError('usage.invalid', { detail: `--token: expected 1 to 1024 characters, got ${token.length}` })
}

/** The entry that has both ends authenticate with it. */
export const tokenEntry = (token: string): ExtensionEntry => ({ use: tokenPackage, options: { token } })
