import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { stringify } from 'yaml'
import authToken from '@rystra/auth-token'
import { type Client, createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import proxyTcp from '@rystra/proxy-tcp'
import transportTls from '@rystra/transport-tls'
import { loopback } from '../../bench/address.js'
import { type Program, untilSays } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { cli, makeCertificates } from '../visitors/tunnel.js'

const CLIENTS = 1000
const OUTAGES_MS = [1000, 4000, 20_000]
const preset = [transportTls, muxYamux, authToken, proxyTcp] as const
const token = 'coming-back-token-0123456789'

/** A server that is killed with 1,000 clients over TLS, each with one proxy; the clients are in this process. */
export const comingBack: Trial = {
  name: 'coming-back',
  programs: [],
  async use(scratch, report) {
    const port = await freePort()
    const { ca, cert, key } = await makeCertificates(scratch, 'localhost')
    const config = {
      extensions: [
        { use: '@rystra/auth-token', options: { tokens: [{ identity: 'test', token }] } },
        '@rystra/transport-tls'
      ],
      server: {
        listen: [{ transport: 'tls', host: loopback, port, cert, key }],
        publish: { host: loopback, ports: ['10000-60000'] }
      }
    }
    const file = scratch.write('coming-back.yaml', stringify(config))
    const serve = async (): Promise<Program> => {
      const program = scratch.start(process.execPath, [cli, 'serve', '--config', file], { cwd: scratch.dir })
      await untilSays(program, /listening/, 60_000)
      return program
    }
    let server = await serve()
    const clients: Client[] = []
    const connect = { transport: 'tls', host: loopback, port, ca, serverName: 'localhost' }
    try {
      for (let i = 0; i < CLIENTS; i += 1) {
        const proxies = [{ name: `p${i}`, kind: 'tcp', local: 9 }]
        const client = await createClient(
          { extensions: [authToken({ token })], client: { id: `c${i}`, connect, proxies } },
          { preset }
        )
        clients.push(client)
      }
      for (let at = 0; at < CLIENTS; at += 50) await Promise.all(clients.slice(at, at + 50).map((one) => one.start()))
      for (const outage of OUTAGES_MS) {
        await report.check(`${CLIENTS} clients over TLS, a server killed for ${outage / 1000} s`, async () => {
          const gone = clients.map((client) => once(client, 'disconnected'))
          server.child.kill('SIGKILL')
          await Promise.all(gone)
          const back: number[] = []
          const published = clients.map((client) => once(client, 'published').then(() => back.push(performance.now())))
          await pause(outage)
          server = await serve()
          const begin = performance.now()
          await Promise.all(published)
          const waits = back.map((at) => Math.max(0, at - begin)).sort((a, b) => a - b)
          const [half = 0, most = 0, last = 0] = [0.5, 0.99, 1].map((part) => waits[Math.ceil(part * CLIENTS) - 1])
          const said = `back after the server listens: p50 ${Math.round(half)} ms, p99 ${Math.round(most)} ms, last ${Math.round(last)} ms`
          must(last < 5000, said)
          return said
        })
      }
    } finally {
      await Promise.all(clients.map((client) => client.stop({ drain: 0 })))
    }
  }
}
