import type { Clock, Extension, ExtensionUse, Logger } from '@rystra/plugin'
import { MemoryServices } from './memory-kind.js'
import { memoryTransport } from './transport-memory.js'

/** What {@link createPair} needs of a server, and of a client. */
interface Runs {
  start(): Promise<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: the configuration is the business of the packages that make them
  reload(config: any): Promise<unknown>
  stop(options?: { drain?: number }): Promise<unknown>
}

interface MakeOptions {
  readonly log?: Logger
  readonly clock?: Clock
}

// the configuration is the business of the packages that make a server and a client; this one knows only the contracts
// biome-ignore lint/suspicious/noExplicitAny: see above
type Make<Made extends Runs> = (config: any, options?: MakeOptions) => Promise<Made>

/** A server and a client to be joined. */
export interface PairConfig<Server extends Runs, Client extends Runs> extends MakeOptions {
  /** `createServer` of `@rystra/server`. */
  readonly createServer: Make<Server>
  /** `createClient` of `@rystra/client`. */
  readonly createClient: Make<Client>
  /** For both ends: a muxer and an authenticator at least, and what is under test. */
  readonly extensions: readonly (Extension<never> | ExtensionUse)[]
  /** For one end, after those of both. */
  readonly serverExtensions?: readonly (Extension<never> | ExtensionUse)[]
  readonly clientExtensions?: readonly (Extension<never> | ExtensionUse)[]
  /** Services by name, each published as a proxy of the same name. */
  readonly services?: Readonly<Record<string, Parameters<MemoryServices['serve']>[1]>>
  /** Fields of `server` beside `listen`. */
  readonly server?: Readonly<Record<string, unknown>>
  /** Fields of `client` beside `connect` and `proxies`. */
  readonly client?: Readonly<Record<string, unknown>>
  /** Fields of `client.connect` beside the address: `muxer`, say. */
  readonly connect?: Readonly<Record<string, unknown>>
  /** Another transport in place of the one within the process; it has to be registered by an extension. */
  readonly transport?: string
}

/** What {@link Pair.reload} may replace. Services stay as they are. */
export type PairChanges = Partial<
  Pick<PairConfig<Runs, Runs>, 'extensions' | 'serverExtensions' | 'clientExtensions' | 'server' | 'client' | 'connect'>
>

/** A server and a client that are joined. */
export interface Pair<Server extends Runs, Client extends Runs> {
  readonly server: Server
  readonly client: Client
  readonly services: MemoryServices
  /**
   * Gives both ends another configuration: the one of {@link createPair} with these fields replaced. Resolves when both run
   * with it; rejects with what the one that failed says, and then that end runs as before.
   */
  reload(changes: PairChanges): Promise<void>
  /** Comes to a service as a visitor. */
  visit: MemoryServices['visit']
  /** Stops both, the client first. @param drain milliseconds for open streams. @default 0 */
  stop(drain?: number): Promise<void>
}

/**
 * A running server and a client that is connected to it, in one process, without a port or a socket. Resolves when every
 * service is published; rejects with what the one that failed says, and leaves nothing running.
 *
 * @example
 * const pair = await createPair({ createServer, createClient, extensions, services: { echo: (s) => s.pipe(s) } })
 * pair.visit('echo').end('hello')
 */
export const createPair = async <Server extends Runs, Client extends Runs>(
  config: PairConfig<Server, Client>
): Promise<Pair<Server, Client>> => {
  const { transport = 'memory' } = config
  const services = new MemoryServices()
  for (const [name, serve] of Object.entries(config.services ?? {})) services.serve(name, serve)
  const proxies = Object.keys(config.services ?? {}).map((name) => ({ name, kind: 'memory', local: name }))
  const own = [memoryTransport(), services.extension]
  const address = { transport, host: '127.0.0.1' }
  const options: MakeOptions = { log: config.log, clock: config.clock }
  const forServer = ({ extensions, serverExtensions = [], server }: PairConfig<Server, Client>): object => ({
    extensions: [...own, ...extensions, ...serverExtensions],
    server: { ...server, listen: [{ ...address, port: 0 }] }
  })
  const forClient = (
    { extensions, clientExtensions = [], client, connect }: PairConfig<Server, Client>,
    port: number | undefined
  ): object => ({
    extensions: [...own, ...extensions, ...clientExtensions],
    client: { ...client, connect: { ...connect, ...address, port }, proxies }
  })

  const server = await config.createServer(forServer(config), options)
  let client: Client | undefined
  try {
    await server.start()
    const port = (server as Partial<{ listening: readonly { port: number }[] }>).listening?.[0]?.port
    client = await config.createClient(forClient(config, port), options)
    await client.start()
    const [started, joined] = [server, client]
    let current = config
    return {
      server,
      client,
      services,
      reload: async (changes) => {
        const next = { ...current, ...changes }
        await started.reload(forServer(next))
        await joined.reload(forClient(next, port))
        current = next
      },
      visit: (proxy) => services.visit(proxy),
      stop: async (drain = 0) => {
        await joined.stop({ drain })
        await started.stop({ drain })
      }
    }
  } catch (error) {
    await client?.stop({ drain: 0 })
    await server.stop({ drain: 0 })
    throw error
  }
}
