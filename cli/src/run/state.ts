import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

/**
 * Where extensions keep what outlasts the process: what RYSTRA_STATE says; `undefined` with a configuration, which means
 * `.rystra` beside it; otherwise where the user's programs keep such things (XDG), so that a server that is started
 * anew from any folder shows the same certificate.
 */
export const stateFolder = (configured: boolean, env: NodeJS.ProcessEnv = process.env): string | undefined => {
  const said = env['RYSTRA_STATE']
  if (said !== undefined && said !== '') return resolve(said)
  if (configured) return undefined
  const home = env['XDG_STATE_HOME']
  // The specification of XDG has relative ones ignored.
  const base = home !== undefined && isAbsolute(home) ? home : join(homedir(), '.local', 'state')
  return join(base, 'rystra')
}
