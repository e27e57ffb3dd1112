import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort, loopback } from '../../bench/address.js'
import { type Scratch, untilSays } from '../../bench/scratch.js'
import type { ClientChange, ServerChange } from './changes.js'

const run = promisify(execFile)
const cli = path.resolve(import.meta.dirname, '../../../cli/bin/run.js')
const auth = { use: '@rystra/auth-token', options: { token: 'interop-token-3f9c1d7e5b2a48' } }

/** Collects garbage all the time: what is measured then is what is held. */
const collecting = 'data:text/javascript,setInterval(gc, 2000).unref()'

/** Numbers of a process. */
export interface Memory {
  readonly pid: number
  readonly rss: number
  readonly heapUsed: number
}

/** One end in a process of its own, with its configuration in a file. */
class End<Change> {
  readonly #dir: string
  readonly #side: 'server' | 'client'
  readonly #config: (change: Change) => object

  constructor(dir: string, side: 'server' | 'client', config: (change: Change) => object) {
    this.#dir = dir
    this.#side = side
    this.#config = config
  }

  write(change: Change): void {
    mkdirSync(this.#dir, { recursive: true })
    const file = path.join(this.#dir, 'rystra.config.json')
    writeFileSync(`${file}.new`, JSON.stringify(this.#config(change)))
    renameSync(`${file}.new`, file)
  }

  start(scratch: Scratch): Promise<RegExpExecArray> {
    const isServer = this.#side === 'server'
    const args = ['--expose-gc', '--import', collecting, cli, isServer ? 'serve' : 'connect', '--json']
    const program = scratch.start(process.execPath, args, {
      cwd: this.#dir,
      env: { ...process.env, RYSTRA_STATE: this.#state }
    })
    return untilSays(program, isServer ? /"event":"listening"/ : /"event":"published","name":"web"/)
  }

  get #state(): string {
    return path.join(this.#dir, 'state')
  }

  request<Answer>(method: string, url: string): Promise<Answer> {
    const socketPath = path.join(this.#state, 'admin', `${this.#side}.sock`)
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' }
      const request = http.request({ socketPath, method, path: url, headers, agent: false }, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += String(chunk)
        })
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as Answer)
          // Faster than the API allows.
          else if (response.statusCode === 429) setTimeout(() => resolve(this.request(method, url)), 100)
          else reject(new Error(`${method} ${url}: ${response.statusCode} ${text}`))
        })
      })
      request.on('error', reject)
      request.end(method === 'POST' ? '{}' : undefined)
    })
  }

  async reload(change: Change): Promise<void> {
    this.write(change)
    await this.request('POST', '/v1/reload')
  }

  /** The least of some: a collection is in between. */
  async memory(): Promise<Memory> {
    let least: Memory | undefined
    for (let sample = 0; sample < 20; sample += 1) {
      const { process: now } = await this.request<{ process: Memory }>('GET', '/v1/status')
      if (least === undefined || now.heapUsed < least.heapUsed) least = now
      await new Promise((resolve) => void setTimeout(resolve, 250))
    }
    return least as Memory
  }

  /** Answers with the id of the process that serves then. */
  async upgrade(): Promise<number> {
    const options = { cwd: this.#dir, env: { ...process.env, RYSTRA_STATE: this.#state } }
    const { stdout } = await run(process.execPath, [cli, 'upgrade', '--json'], options)
    return (JSON.parse(stdout) as { pid: number }).pid
  }

  /** Ends the process that runs now, which need not be the one that was started. */
  async end(): Promise<void> {
    await this.request('POST', '/v1/drain').catch(() => {})
    const status = await this.request<{ process: Memory }>('GET', '/v1/status').catch(() => undefined)
    if (status !== undefined) process.kill(status.process.pid, 'SIGKILL')
  }
}

const listening = async (server: net.Server): Promise<number> => {
  server.listen(0, loopback)
  await once(server, 'listening')
  server.unref()
  return (server.address() as net.AddressInfo).port
}

const services = async () => {
  const echo = net.createServer((socket) => void socket.on('error', () => {}).pipe(socket))
  const hello = net.createServer((socket) => void socket.on('error', () => {}).end('hello'))
  const web = http.createServer((_, response) => response.end('hello'))
  web.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.on('error', () => {}).pipe(socket)
  })
  return { echo: await listening(echo), hello: await listening(hello), web: await listening(web) }
}

/** A server, a client and services. */
export class Tunnel {
  readonly server: End<Partial<ServerChange>>
  readonly client: End<Partial<ClientChange>>
  readonly ports: {
    readonly echo: number
    readonly hello: number
    readonly web: number
    readonly iperf: { readonly service: number; readonly public: number }
  }

  private constructor(server: Tunnel['server'], client: Tunnel['client'], ports: Tunnel['ports']) {
    this.server = server
    this.client = client
    this.ports = ports
  }

  static async start(scratch: Scratch): Promise<Tunnel> {
    const local = await services()
    const [listen, web, echo, hello, iperf, iperfService] = await Promise.all(Array.from({ length: 6 }, freePort))
    const server = new End<Partial<ServerChange>>(path.join(scratch.dir, 'server'), 'server', (change) => ({
      extensions: [
        auth,
        { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }], baseDomain: 'example.org' } },
        ...(change.extensions ?? [])
      ],
      server: {
        listen: [{ transport: 'tcp', host: loopback, port: listen }],
        publish: { host: loopback, ports: ['1024-65535'] },
        ...change.server
      }
    }))
    const client = new End<Partial<ClientChange>>(path.join(scratch.dir, 'client'), 'client', (change) => ({
      extensions: [auth, '@rystra/proxy-http'],
      client: {
        id: 'c',
        connect: { transport: 'tcp', host: loopback, port: listen },
        proxies: [
          { name: 'echo', kind: 'tcp', local: local.echo, port: echo },
          { name: 'hello', kind: 'tcp', local: local.hello, port: hello },
          { name: 'iperf', kind: 'tcp', local: iperfService, port: iperf },
          { name: 'web', kind: 'http', local: local.web, subdomain: 'web', ...change.web },
          ...(change.proxies ?? [])
        ]
      }
    }))
    server.write({})
    client.write({})
    await server.start(scratch)
    await client.start(scratch)
    const ports = { echo, hello, web, iperf: { service: iperfService, public: iperf } } as Tunnel['ports']
    return new Tunnel(server, client, ports)
  }

  /** Open streams at the server. */
  async streams(): Promise<number> {
    return (await this.server.request<{ streams: number }>('GET', '/v1/status')).streams
  }

  /** What visitors see who come again and again while something is done. */
  async visits(work: () => Promise<void>): Promise<Set<string>> {
    const seen = new Set<string>()
    let over = false
    const visit = async (): Promise<void> => {
      while (!over) {
        let text = ''
        try {
          for await (const chunk of net.connect(this.ports.hello, loopback)) text += String(chunk)
        } catch (error) {
          text = (error as NodeJS.ErrnoException).code ?? String(error)
        }
        seen.add(text)
        await new Promise((resolve) => void setTimeout(resolve, 5))
      }
    }
    const visitors = [visit(), visit()]
    await work()
    over = true
    await Promise.all(visitors)
    return seen
  }

  async end(): Promise<void> {
    await this.server.end()
  }
}
