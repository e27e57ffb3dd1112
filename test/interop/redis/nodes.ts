import { freePort } from '@rystra/testkit'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'

/** Milliseconds until a node of Redis counts as lost, here: short, so that a failover does not take long. */
const DOWN_AFTER_MS = 1000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const answers = async (port: number): Promise<boolean> => {
  const socket = net.connect(port, '127.0.0.1')
  const up = await once(socket, 'connect').then(
    () => true,
    () => false
  )
  socket.destroy()
  return up
}

/** Processes of Redis of one trial, each with a folder of its own. */
export class RedisNodes {
  readonly #folder: string
  readonly #processes = new Map<number, ChildProcess>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async #start(port: number, args: readonly string[]): Promise<void> {
    const dir = path.join(this.#folder, String(port))
    await mkdir(dir, { recursive: true })
    const child = spawn('redis-server', args, { stdio: 'ignore', cwd: dir })
    this.#processes.set(port, child)
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}: ${args.join(' ')}`)
      await pause(20)
    }
  }

  #plain(port: number, more: readonly string[] = []): Promise<void> {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    return this.#start(port, [...args, ...more])
  }

  async #kill(port: number): Promise<void> {
    const child = this.#processes.get(port)
    this.#processes.delete(port)
    if (child === undefined || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  #cli(port: number, ...args: readonly string[]): string {
    return spawnSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8' }).stdout.trim()
  }

  /** One server. Resolves to its port, which speaks TLS alone where that is wanted. */
  async single(args: readonly string[], { tls = false } = {}): Promise<number> {
    const port = await freePort()
    const own = tls ? ['--port', '0', '--tls-port', String(port)] : ['--port', String(port)]
    await this.#start(port, [...own, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args])
    return port
  }

  /** A master with two replicas, and three sentinels. */
  async sentinel(): Promise<{ readonly sentinels: readonly number[]; killMaster(): Promise<void> }> {
    const master = await freePort()
    await this.#plain(master)
    for (let count = 0; count < 2; count += 1) {
      await this.#plain(await freePort(), ['--replicaof', `127.0.0.1 ${master}`, '--repl-diskless-sync-delay', '0'])
    }
    while (!/connected_slaves:2/.test(this.#cli(master, 'INFO', 'replication'))) await pause(50)
    const sentinels: number[] = []
    for (let count = 0; count < 3; count += 1) {
      const port = await freePort()
      const file = path.join(this.#folder, `sentinel-${port}.conf`)
      const lines = [
        `port ${port}`,
        'bind 127.0.0.1',
        `sentinel monitor rystra 127.0.0.1 ${master} 2`,
        `sentinel down-after-milliseconds rystra ${DOWN_AFTER_MS}`,
        'sentinel failover-timeout rystra 5000'
      ]
      await writeFile(file, `${lines.join('\n')}\n`)
      await this.#start(port, [file, '--sentinel'])
      sentinels.push(port)
    }
    const [first = 0] = sentinels
    const ready = (): boolean =>
      /name=rystra,status=ok,.*slaves=2,sentinels=3/.test(this.#cli(first, 'INFO', 'sentinel'))
    while (!ready()) await pause(100)
    return { sentinels, killMaster: () => this.#kill(master) }
  }

  /** Three masters with a replica each. */
  async cluster(): Promise<{ readonly ports: readonly number[]; killOwner(key: string): Promise<void> }> {
    const ports: number[] = []
    for (let count = 0; count < 6; count += 1) {
      const port = await freePort()
      await this.#plain(port, [
        ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(DOWN_AFTER_MS)],
        ...['--cluster-config-file', `nodes-${port}.conf`, '--repl-diskless-sync-delay', '0']
      ])
      ports.push(port)
    }
    const [first = 0] = ports
    const nodes = ports.map((port) => `127.0.0.1:${port}`)
    const made = spawnSync('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-replicas', '1', '--cluster-yes'])
    if (made.status !== 0) throw new Error(`redis-cli --cluster create: ${made.stdout} ${made.stderr}`)
    while (!ports.every((port) => /cluster_state:ok/.test(this.#cli(port, 'CLUSTER', 'INFO')))) await pause(100)
    // Replicas that have not caught up are not elected.
    const caughtUp = (port: number): boolean =>
      /master_link_status:up|connected_slaves:1/.test(this.#cli(port, 'INFO', 'replication'))
    while (!ports.every(caughtUp)) await pause(100)
    const killOwner = async (key: string): Promise<void> => {
      const slot = Number(this.#cli(first, 'CLUSTER', 'KEYSLOT', key))
      const owner = this.#cli(first, 'CLUSTER', 'NODES')
        .split('\n')
        .map((line) => line.split(' '))
        .find(([, , flags = '', , , , , , ...slots]) => {
          if (!flags.includes('master')) return false
          return slots.some((range) => {
            const [from = 0, to = from] = range.split('-').map(Number)
            return slot >= from && slot <= to
          })
        })
      const [, port] = /:(\d+)@/.exec(owner?.[1] ?? '') ?? []
      if (port === undefined) throw new Error(`no owner of slot ${slot}`)
      await this.#kill(Number(port))
    }
    return { ports, killOwner }
  }

  async stop(): Promise<void> {
    for (const port of [...this.#processes.keys()]) await this.#kill(port)
  }
}
