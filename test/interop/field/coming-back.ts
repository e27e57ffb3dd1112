import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { stringify } from 'yaml'
import authToken from '@rystra/auth-token'
import { type Client, createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import proxyTcp from '@rystra/proxy-tcp'
import transportTls from '@rystra/transport-tls'
import { loopback } from '../../bench/address.js'
import { type Program, type Scratch, untilSays } from '../../bench/scratch.js'
import { cpuSeconds } from '../../bench/usage.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { cli, makeCertificates } from '../visitors/tunnel.js'

const SIZES = [100, 300, 1000]
const OUTAGES_MS = [1000, 4000]
/** Most that the last one waits. */
const LAST_MS = 5000
/** Most CPU of both ends together for each client: more is work without effect. */
const CPU_MS = 15
const preset = [transportTls, muxYamux, authToken, proxyTcp] as const
const token = 'coming-back-token-0123456789'

/** A server that can be killed and started again. */
class RestartedServer {
  #program: Program | undefined

  private constructor(private readonly start: () => Program) {}

  static async of(scratch: Scratch, config: unknown): Promise<RestartedServer> {
    const file = scratch.write('coming-back.yaml', stringify(config))
    const server = new RestartedServer(() =>
      scratch.start(process.execPath, [cli, 'serve', '--config', file], { cwd: scratch.dir })
    )
    await server.serve()
    return server
  }

  async serve(): Promise<void> {
    this.#program = this.start()
    await untilSays(this.#program, /listening/, 60_000)
  }

  kill(): void {
    this.#program?.child.kill('SIGKILL')
  }

  get cpu(): number {
    return cpuSeconds([this.#program?.pid ?? 0])
  }
}

/** The clients of this process, whose CPU is a limit of what can be measured: each would have a machine of its own. */
const ownCpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const cut = async (server: RestartedServer, clients: readonly Client[], outage: number): Promise<string> => {
  // A session that was not up for a second does not end an outage.
  await pause(1500)
  const gone = clients.map((client) => once(client, 'disconnected'))
  server.kill()
  await Promise.all(gone)
  const back: number[] = []
  const published = clients.map((client) => once(client, 'published').then(() => back.push(performance.now())))
  await pause(outage)
  await server.serve()
  const [begin, cpu, own] = [performance.now(), server.cpu, ownCpu()]
  await Promise.all(published)
  const wall = performance.now() - begin
  const [serverCpu, clientCpu] = [server.cpu - cpu, ownCpu() - own]
  const waits = back.map((at) => Math.max(0, at - begin)).sort((a, b) => a - b)
  const at = (part: number): number => Math.round(waits[Math.ceil(part * waits.length) - 1] ?? 0)
  const said =
    `back after the server listens: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, last ${at(1)} ms; ` +
    `CPU in these ${(wall / 1000).toFixed(1)} s: server ${serverCpu.toFixed(1)} s, all clients ${clientCpu.toFixed(1)} s`
  const needed = (serverCpu + clientCpu) * 1000
  must(needed < CPU_MS * clients.length, said)
  must(at(1) < LAST_MS, said)
  return said
}

/** A server that is killed with many clients over TLS, each with one proxy; the clients are in this process. */
export const comingBack: Trial = {
  name: 'coming-back',
  programs: [],
  async use(scratch, report) {
    const port = await freePort()
    const { ca, cert, key } = await makeCertificates(scratch, 'localhost')
    const server = await RestartedServer.of(scratch, {
      extensions: [
        { use: '@rystra/auth-token', options: { tokens: [{ identity: 'test', token }] } },
        '@rystra/transport-tls'
      ],
      server: {
        listen: [{ transport: 'tls', host: loopback, port, cert, key }],
        publish: { host: loopback, ports: ['10000-60000'] }
      }
    })
    const clients: Client[] = []
    const connect = { transport: 'tls', host: loopback, port, ca, serverName: 'localhost' }
    const grow = async (size: number): Promise<void> => {
      for (let i = clients.length; i < size; i += 1) {
        const proxies = [{ name: `p${i}`, kind: 'tcp', local: 9 }]
        const client = await createClient(
          { extensions: [authToken({ token })], client: { id: `c${i}`, connect, proxies } },
          { preset }
        )
        clients.push(client)
        await client.start()
      }
    }
    try {
      for (const size of SIZES) {
        await grow(size)
        for (const outage of OUTAGES_MS)
          await report.check(`${size} clients over TLS, a server killed for ${outage / 1000} s`, () =>
            cut(server, clients, outage)
          )
      }
    } finally {
      await Promise.all(clients.map((client) => client.stop({ drain: 0 })))
    }
  }
}
