import { chooseProxy, type ProxyAddress } from '@rystra/net'
import type { DialOptions } from '@rystra/plugin'
import { type Finding, skip } from './finding.js'

/** The proxy that a client dials through. Throws `config.invalid`. */
export const proxyOf = (server: DialOptions, env: NodeJS.ProcessEnv): ProxyAddress | undefined => {
  const { host, port, proxy } = server
  return chooseProxy(typeof proxy === 'string' ? proxy : undefined, host, port, env)
}

/** What checks of the way to a server say where no server is named. */
export const noServer = (check: string): Finding =>
  skip(check, 'There is no client here that names the host of a server.')
