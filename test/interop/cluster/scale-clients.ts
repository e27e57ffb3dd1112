/** Clients of scale.ts with their services: first index, how many, names of each, redundancy, servers. */
import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import proxyHttp from '@rystra/proxy-http'
import transportTcp from '@rystra/transport-tcp'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { BIG_BYTES, namesOf, tenants } from './scale-world.js'

const [first = '', count = '', each = '', redundancy = '', ...servers] = process.argv.slice(2)

const big = Buffer.alloc(1024 * 1024, 'x')

/** A service that answers with its own name, sends much for `/big`, and something each tenth of a second for `/long`. */
const startService = async (name: string): Promise<number> => {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, ({ url }, response) => {
    if (url === '/big') {
      let left = BIG_BYTES
      const more = (): void => {
        while (left > 0) {
          left -= big.length
          if (!response.write(big)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    } else if (url === '/long') {
      response.write('begin\n')
      const timer = setInterval(() => response.write('tick\n'), 100)
      response.on('close', () => clearInterval(timer))
    } else response.end(name)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

const start = async (index: number): Promise<void> => {
  const proxies = await Promise.all(
    namesOf(index, Number(each)).map(async (host, one) => ({
      name: `web${one}`,
      kind: 'http',
      local: await startService(host),
      host
    }))
  )
  // Each begins elsewhere in the list.
  const from = index % servers.length
  const client = await createClient({
    extensions: [transportTcp, muxYamux, proxyHttp, authToken({ token: tenants[index % 2]?.token ?? '' })],
    client: {
      id: `client-${index}`,
      connect: { transport: 'tcp', servers: [...servers.slice(from), ...servers.slice(0, from)] },
      redundancy: Number(redundancy),
      proxies
    }
  })
  await client.start()
}

const indexes = Array.from({ length: Number(count) }, (_, one) => Number(first) + one)
while (indexes.length > 0) await Promise.all(indexes.splice(0, 20).map(start))
process.send?.('ready')
