/** One server of the cluster of cluster.ts, as a process: name, host and port of clients, port of servers, Redis, folder. */
import authToken from '@rystra/auth-token'
import clusterRedis from '@rystra/cluster-redis'
import muxYamux from '@rystra/mux-yamux'
import proxyTcp from '@rystra/proxy-tcp'
import { createServer } from '@rystra/server'
import transportTcp from '@rystra/transport-tcp'
import transportTls from '@rystra/transport-tls'
import path from 'node:path'

const [name = '', host = '', port = '', peerPort = '', url = '', folder = ''] = process.argv.slice(2)
const file = (suffix: string): string => path.join(folder, suffix)

const server = await createServer({
  extensions: [
    transportTcp,
    transportTls,
    muxYamux,
    proxyTcp,
    authToken({
      tokens: [
        { identity: 'one', token: 'a-token-of-the-first-tenant' },
        { identity: 'two', token: 'a-token-of-the-second-tenant' }
      ]
    }),
    clusterRedis({ url })
  ],
  server: {
    listen: [{ transport: 'tcp', host, port: Number(port) }],
    publish: { host, ports: ['20000-29999'] },
    cluster: {
      name,
      directory: 'redis',
      host,
      port: Number(peerPort),
      ca: file('ca.pem'),
      cert: file(`${name}.pem`),
      key: file(`${name}-key.pem`)
    }
  }
})
await server.start()
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)))
process.send?.('ready')
