import type { ExtensionEntry } from '@rystra/config'
import { once } from 'node:events'
import net from 'node:net'
import { quickPackages } from '../preset.js'
import { packageResolver } from '../project/resolver.js'

/** Where browsers find a server that runs without a configuration: needs no rights, and is what many programs use. */
const WEB_PORT = 8080

/** Where visitors of `http` proxies come in. */
export interface Web {
  readonly host: string
  readonly port: number
  /** Names of services are put in front of it. */
  readonly domain: string
}

/** What is asked of {@link quickKinds}. */
export interface QuickOptions {
  readonly cwd: string
  readonly host: string
  /** @default 8080, or any free one when that is taken */
  readonly httpPort?: number | undefined
  /** @default `localhost`, names under which need no DNS, RFC 6761 */
  readonly domain?: string | undefined
  /** What will be added to each port, by a member. @default 0 */
  readonly portOffset?: number | undefined
}

/** The port, if it can be had, or nothing. */
const free = async (host: string, port: number): Promise<number | undefined> => {
  const server = net.createServer().listen({ host, port })
  try {
    await once(server, 'listening')
  } catch {
    return undefined
  }
  const bound = (server.address() as net.AddressInfo).port
  server.close()
  await once(server, 'close')
  return bound
}

/** The kinds of proxies that a server without a configuration has besides those of the preset: those that are installed. */
export const quickKinds = async ({
  cwd,
  host,
  httpPort,
  domain = 'localhost',
  portOffset = 0
}: QuickOptions): Promise<{ readonly extensions: readonly ExtensionEntry[]; readonly web?: Web }> => {
  const resolve = await packageResolver(cwd)
  const { http, others } = quickPackages
  const extensions: ExtensionEntry[] = others.filter((name) => resolve(name) !== undefined)
  if (resolve(http) === undefined) return { extensions }
  // One that was asked for is had, or the server does not start.
  const usual = httpPort === 0 ? undefined : (httpPort ?? (await free(host, WEB_PORT)))
  const chosen = async (): Promise<number> => ((await free(host, 0)) ?? WEB_PORT + portOffset) - portOffset
  const port = usual ?? (await chosen())
  const web = { host, port, domain }
  return {
    extensions: [...extensions, { use: http, options: { listen: [{ host, port }], baseDomain: domain } }],
    web
  }
}
