/** One server of the cluster of scale.ts: name, address, Redis, folder. */
import authToken from '@rystra/auth-token'
import clusterRedis from '@rystra/cluster-redis'
import muxYamux from '@rystra/mux-yamux'
import proxyHttp from '@rystra/proxy-http'
import { createServer } from '@rystra/server'
import transportTcp from '@rystra/transport-tcp'
import transportTls from '@rystra/transport-tls'
import { type Logger, silentLog } from '@rystra/plugin'
import path from 'node:path'
import { CLIENT_PORT, DRAIN_MS, tenants, WEB_PORT } from './scale-world.js'

const [name = '', host = '', url = '', folder = ''] = process.argv.slice(2)
const file = (suffix: string): string => path.join(folder, suffix)

const log: Logger = {
  ...silentLog,
  warn: (...words: unknown[]) => console.error(name, ...words),
  error: (...words: unknown[]) => console.error(name, ...words),
  child: () => log
}

const server = await createServer(
  {
    extensions: [
      transportTcp,
      transportTls,
      muxYamux,
      proxyHttp({ listen: [{ host, port: WEB_PORT }] }),
      authToken({ tokens: tenants.map(({ identity, token }) => ({ identity, token })) }),
      clusterRedis({ url })
    ],
    server: {
      listen: [{ transport: 'tcp', host, port: CLIENT_PORT }],
      publish: { host },
      drain: DRAIN_MS,
      cluster: {
        name,
        directory: 'redis',
        host,
        port: 7100,
        public: `${host}:${CLIENT_PORT}`,
        ca: file('ca.pem'),
        cert: file(`${name}.pem`),
        key: file(`${name}-key.pem`)
      }
    }
  },
  process.env['RYSTRA_LOG'] === undefined ? {} : { log }
)
await server.start()
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)))
process.send?.('ready')
