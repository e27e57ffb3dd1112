import { createClient } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import { createServer } from '@rystra/server'
import { type Carrier, usesOf } from './end-carriers.js'
import { clientConfig, preset, serverConfig } from './tunnel.js'

/** One end of a tunnel: a server that listens, or a client that connects. */
export interface KilledEnd {
  readonly carrier: Carrier
  readonly listen?: object
  readonly connect?: object
  readonly proxies?: readonly ProxyEntry[]
}

const start = async ({ carrier, listen, connect, proxies = [] }: KilledEnd): Promise<number> => {
  const uses = usesOf(carrier)
  if (listen !== undefined) {
    const server = await createServer(serverConfig({ listen: [listen] } as never, uses), { preset })
    await server.start()
    return server.listening[0]?.port ?? 0
  }
  const client = await createClient(clientConfig(0, proxies, { connect } as never, uses), { preset })
  await client.start()
  return Number(client.proxies[0]?.address.split(':').at(-1))
}

const ends = JSON.parse(process.argv[2] ?? '[]') as KilledEnd[]
console.log(JSON.stringify(await Promise.all(ends.map(start))))
