import type { Client } from '@rystra/client'
import { expect } from 'chai'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { createClient } from '../src/index.js'
import { Running, rystra } from './command.js'
import { Folders } from './folder.js'

const token = 'a-token-of-the-test'
const FILE = 'rystra.config.json'

const config = {
  extensions: [
    { use: '@rystra/auth-token', options: { token } },
    { use: '@rystra/proxy-http', options: { listen: [{ host: '127.0.0.1', port: 0 }], baseDomain: 'example.org' } },
    { use: '@rystra/admin-http', options: { listen: [{ host: '127.0.0.1', port: 0 }] } }
  ],
  server: {
    listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
    publish: { host: '127.0.0.1', ports: ['1024-65535'] },
    drain: '5s'
  }
}

/** What visitors saw: `hello`, or the code of the error. */
type Seen = Set<string>

/** Visits again and again, until it is told to stop. */
class Visitors {
  readonly seen: Seen = new Set()
  count = 0
  readonly #loops: Promise<void>[]
  #over = false

  constructor(...visits: (() => Promise<string>)[]) {
    this.#loops = visits.map(async (visit) => {
      while (!this.#over) {
        this.seen.add(await visit().catch((error: NodeJS.ErrnoException) => error.code ?? String(error)))
        this.count += 1
      }
    })
  }

  /** So many more visits have been made. */
  async more(count: number): Promise<void> {
    const wanted = this.count + count
    while (this.count < wanted) await new Promise((resolve) => void setTimeout(resolve, 10))
  }

  stop(): void {
    this.#over = true
  }

  async end(): Promise<Seen> {
    this.stop()
    await Promise.all(this.#loops)
    return this.seen
  }
}

describe('rystra upgrade', function () {
  this.timeout(120_000)
  const folders = new Folders()
  const ends: (() => unknown)[] = []

  before(function () {
    if (process.platform !== 'linux') this.skip()
  })

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    folders.clean()
  })

  const kill = (pid: number): void => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {}
  }

  const serve = async (options: object = config) => {
    const cwd = folders.make({ [FILE]: JSON.stringify(options) })
    const server = new Running(['serve', '--json'], { cwd })
    ends.push(() => kill(server.child.pid as number))
    const { port } = (await server.event('listening')) as unknown as { port: number }
    return { cwd, server, port }
  }

  const pidOf = async (cwd: string): Promise<number> =>
    JSON.parse((await rystra(['status', '--json'], { cwd })).out).process.pid as number

  const upgrade = async (cwd: string, ...flags: string[]) => {
    const { out, err, code } = await rystra(['upgrade', '--json', ...flags], { cwd })
    const report = JSON.parse(out || err) as { pid: number; sockets: number; error?: { code: string; message: string } }
    if (report.pid !== undefined) ends.push(() => kill(report.pid))
    return { ...report, code }
  }

  const connect = async (port: number, hooks: { up?: () => void } = {}): Promise<Client> => {
    const service = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
    const greeter = net.createServer((socket) => socket.on('error', () => {}).end('hello')).listen(0, '127.0.0.1')
    await Promise.all([once(service, 'listening'), once(greeter, 'listening')])
    ends.push(
      () => service.close(),
      () => greeter.close()
    )
    const local = (one: net.Server): number => (one.address() as net.AddressInfo).port
    const client = await createClient({
      extensions: [{ use: '@rystra/auth-token', options: { token } }, '@rystra/proxy-http'],
      client: {
        id: 'c',
        connect: { transport: 'tcp', host: '127.0.0.1', port },
        proxies: [
          { name: 'plain', kind: 'tcp', local: local(greeter) },
          { name: 'web', kind: 'http', local: local(service), subdomain: 'web' }
        ],
        reconnect: { min: '20ms', max: '100ms' }
      }
    })
    if (hooks.up !== undefined) client.on('connected', hooks.up)
    ends.push(() => client.stop({ drain: 0 }))
    await client.start()
    return client
  }

  const portOf = (client: Client, name: string): number =>
    Number(
      client.proxies
        .find(({ spec }) => spec.name === name)
        ?.address.split(':')
        .at(-1)
    )

  const plain = (port: number) => async (): Promise<string> => {
    let text = ''
    for await (const chunk of net.connect(port, '127.0.0.1')) text += String(chunk)
    return text
  }

  const web = (port: number, agent: http.Agent) => (): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, agent, headers: { host: 'web.example.org' } }
      http
        .get(options, (response) => {
          let text = ''
          response.on('data', (chunk) => {
            text += String(chunk)
          })
          response.on('end', () => resolve(response.statusCode === 200 ? text : `status ${response.statusCode}`))
          response.on('error', reject)
        })
        .on('error', reject)
    })

  it('no visitor is refused while processes follow each other, and each has the sockets of the one before', async () => {
    const { cwd, server, port } = await serve()
    const client = await connect(port)
    const [plainPort, webPort] = [portOf(client, 'plain'), portOf(client, 'web')]
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 })
    ends.push(() => agent.destroy())
    const fresh = new http.Agent()
    const visitors = new Visitors(plain(plainPort), web(webPort, agent), web(webPort, agent), web(webPort, fresh))
    ends.push(() => visitors.stop())
    await visitors.more(50)
    // Its output goes on: the new process has it.
    const exited = once(server.child, 'exit')
    const first = await upgrade(cwd)
    expect(first.code, JSON.stringify(first)).equal(0)
    expect(first.pid).not.equal(server.child.pid)
    // For clients, for web visitors, for the API, and of the proxy.
    expect(first.sockets).equal(4)
    expect(await pidOf(cwd)).equal(first.pid)
    await visitors.more(50)
    expect(await exited, 'the old process ends cleanly').deep.equal([0, null])
    await visitors.more(50)
    const second = await upgrade(cwd)
    expect(second.code, JSON.stringify(second)).equal(0)
    expect(await pidOf(cwd)).equal(second.pid)
    await visitors.more(50)
    expect(await visitors.end()).deep.equal(new Set(['hello']))
    expect([portOf(client, 'plain'), portOf(client, 'web')]).deep.equal([plainPort, webPort])
  })

  it('a configuration that is broken, and an extension that hangs, change nothing and are named', async () => {
    const { cwd, server, port } = await serve()
    const client = await connect(port)
    const visitors = new Visitors(plain(portOf(client, 'plain')))
    ends.push(() => visitors.stop())
    await visitors.more(5)
    const file = path.join(cwd, FILE)
    const good = readFileSync(file, 'utf8')
    writeFileSync(file, good.replace('"5s"', '"five"'))
    const broken = await upgrade(cwd)
    expect(broken.code).equal(6)
    expect(broken.error?.code).equal('control.upgrade-failed')
    expect(broken.error?.message).contain('server.drain')
    writeFileSync(
      path.join(cwd, 'hangs.ts'),
      `import { defineExtension } from '@rystra/plugin'
export default defineExtension({ name: 'hangs', setup: () => ({ start: () => new Promise(() => {}) }) })`
    )
    writeFileSync(file, good.replace('"extensions":[', '"extensions":["./hangs.ts",'))
    const hangs = await upgrade(cwd, '--timeout', '4s')
    expect(hangs.error?.message).contain('not ready within 4000 ms')
    writeFileSync(file, good)
    expect(await pidOf(cwd)).equal(server.child.pid)
    await server.event('upgradeFailed')
    await visitors.more(5)
    expect(await visitors.end()).deep.equal(new Set(['hello']))
  })

  it('a second one at once is refused, and so is a reload of a process that was replaced', async () => {
    const { cwd } = await serve()
    const [one, other] = await Promise.all([upgrade(cwd), upgrade(cwd)])
    const failed = one.error === undefined ? other : one
    expect([one, other].filter(({ code }) => code === 0)).length(1)
    expect(failed.error?.code).equal('control.busy')
  })
})
