import type { Client } from '@rystra/client'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import type { Logger } from '@rystra/model'
import proxyPrivate from '@rystra/proxy-private'
import type { Server } from '@rystra/server'
import { MemoryStreamsNetwork, memoryTransport } from '@rystra/testkit'
import net from 'node:net'
import { later, makeClient, portOf, startServer } from './tunnel.js'

export type Uses = NonNullable<RystraConfig['extensions']>
type Fields = Record<string, unknown>

export const secret = 'a secret of some length, for tests'

/** What carries the sessions of a test. */
export interface Carrier {
  readonly title: string
  readonly connect: { readonly transport: string; readonly muxer?: string }
  readonly uses: Uses
}

/** Each time anew: a network in memory belongs to one test. */
export const carriers = (): Carrier[] => [
  { title: 'yamux', connect: { transport: 'tcp', muxer: 'yamux' }, uses: [proxyPrivate()] },
  { title: 'direct', connect: { transport: 'tcp', muxer: 'direct' }, uses: [proxyPrivate()] },
  {
    title: 'native streams',
    connect: { transport: 'memory-streams' },
    uses: [proxyPrivate(), memoryTransport(new MemoryStreamsNetwork())()]
  }
]

export const serve = (
  carrier: Carrier,
  server: Parameters<typeof startServer>[0] = {},
  more: Uses = []
): Promise<Server> =>
  startServer({ listen: [{ transport: carrier.connect.transport, host: '127.0.0.1', port: 0 }], ...server }, [
    ...carrier.uses,
    ...more
  ])

/** What one client is to do. */
export interface Join {
  readonly id: string
  readonly proxies?: readonly ProxyEntry[]
  readonly forwards?: readonly Fields[]
  readonly token?: string
  readonly log?: Logger
  readonly more?: Uses
}

export const make = (
  carrier: Carrier,
  server: Server | number,
  { id, proxies = [], forwards = [], token, log, more = [] }: Join
): Promise<Client> => {
  const port = typeof server === 'number' ? server : portOf(server)
  return makeClient(
    port,
    proxies,
    {
      id,
      forwards: forwards as never,
      connect: { host: '127.0.0.1', port, ...carrier.connect },
      ...(token === undefined ? {} : { token })
    },
    [...carrier.uses, ...more],
    log === undefined ? {} : { log }
  )
}

export const join = async (...args: Parameters<typeof make>): Promise<Client> => {
  const client = await make(...args)
  await client.start()
  return client
}

/** An entry of `client.proxies` under the name `db`. */
export const db = (local: number | string, more: Fields = {}): ProxyEntry => ({
  name: 'db',
  kind: 'private',
  local,
  secret,
  ...more
})

/** An entry of `client.forwards` that visits `db` from any free port. */
export const toDb = (more: Fields = {}): Fields => ({ name: 'way', of: 'db', secret, bind: 0, ...more })

/** The port of a way in. */
export const wayIn = (client: Client, name = 'way'): number => {
  const visitor = client.forwards.find((one) => one.name === name)
  if (visitor === undefined) throw new Error(`there is no way in ${name}`)
  return Number(visitor.address.split(':').at(-1))
}

/** Everything that is said to a log, each line as text. */
export const listening = (): { readonly log: Logger; readonly lines: string[] } => {
  const lines: string[] = []
  const say = (...words: unknown[]): void => {
    lines.push(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '))
  }
  const log: Logger = { trace: say, debug: say, info: say, warn: say, error: say, child: () => log }
  return { log, lines }
}

/** A port that is taken until the test is over. */
export const takenPort = async (): Promise<number> => {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  later(() => server.close())
  return (server.address() as net.AddressInfo).port
}
