import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Hosts } from './hosts.js'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What the directory has under a key. */
export interface Row {
  readonly key: string
  readonly id: string
  readonly fence: number
  readonly member: string
  readonly value: { readonly spec?: { readonly host: string } }
}

/** The Redis of scale.ts, on a host of its own. */
export class RedisHost {
  readonly #hosts: Hosts
  #child: ChildProcess | undefined

  constructor(hosts: Hosts) {
    this.#hosts = hosts
  }

  get url(): string {
    return `redis://${this.#hosts.address('redis')}:6379`
  }

  async start(): Promise<void> {
    const host = this.#hosts.address('redis')
    const words = ['--bind', host, '--protected-mode', 'no', '--save', '', '--appendonly', 'no']
    const [command, args] = this.#hosts.at('redis', 'redis-server', ...words)
    this.#child = spawn(command, args, { stdio: 'ignore' })
    while (spawnSync('redis-cli', ['-h', host, 'ping'], { encoding: 'utf8' }).stdout.trim() !== 'PONG') await pause(50)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** Sets options of the running Redis. */
  set(options: Readonly<Record<string, string>>): void {
    const words = ['-h', this.#hosts.address('redis'), 'CONFIG', 'SET', ...Object.entries(options).flat()]
    const { stdout } = spawnSync('redis-cli', words, { encoding: 'utf8' })
    if (stdout.trim() !== 'OK') throw new Error(`CONFIG SET: ${stdout}`)
  }

  /** Bytes that Redis uses. */
  get used(): number {
    const words = ['-h', this.#hosts.address('redis'), 'INFO', 'memory']
    const { stdout } = spawnSync('redis-cli', words, { encoding: 'utf8' })
    return Number(/^used_memory:(\d+)/m.exec(stdout)?.[1])
  }

  /** Lines that a script of Redis answers with. */
  #ask(script: string): string[] {
    const { stdout } = spawnSync('redis-cli', ['-h', this.#hosts.address('redis'), 'EVAL', script, '0'], {
      encoding: 'utf8',
      maxBuffer: 1 << 28
    })
    return stdout.trim().split('\n')
  }

  /**
   * Rows of the directory whose key begins so, the newest of each name: those of a dead server stay for the grace.
   *
   * @param several whether a name has one for each session
   */
  rows(beginning: string, several: boolean): Row[] {
    const keys = `redis.call('KEYS', '{rystra:rystra}:k:${beginning} *')`
    const each = "for _, v in ipairs(redis.call('HVALS', k)) do out[#out + 1] = v end"
    const newest = new Map<string, Row>()
    for (const line of this.#ask(`local out = {} for _, k in ipairs(${keys}) do ${each} end return out`)) {
      const [, fence, json] = /^(\d+) \S+ \S+ \S+ (\{.*)$/.exec(line) ?? []
      if (json === undefined) continue
      const row = { ...(JSON.parse(json) as Omit<Row, 'fence'>), fence: Number(fence) }
      const name = `${row.value.spec?.host ?? row.key} ${several ? row.id : ''}`
      if ((newest.get(name)?.fence ?? 0) < row.fence) newest.set(name, row)
    }
    return [...newest.values()]
  }
}
