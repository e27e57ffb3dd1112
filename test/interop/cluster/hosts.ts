import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Runs a command to its end. Throws with what it said. */
const run = (command: string, args: readonly string[], input?: string): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

const ip = (...args: readonly string[]): string => run('ip', args)

/** Network namespaces on one bridge, each a host with an address of its own. */
export class Hosts {
  readonly addresses = new Map<string, string>()
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`
  }

  /** Takes those that another process has made, in the same order. */
  know(names: readonly string[]): void {
    for (const [index, name] of names.entries()) this.addresses.set(name, `10.77.0.${index + 1}`)
  }

  make(names: readonly string[]): void {
    this.know(names)
    const hub = this.#namespace('hub')
    ip('netns', 'add', hub)
    ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
    ip('-n', hub, 'link', 'set', 'bridge', 'up')
    for (const [index, name] of names.entries()) {
      const namespace = this.#namespace(name)
      const port = `port${index}`
      ip('netns', 'add', namespace)
      ip('-n', namespace, 'link', 'add', 'line', 'type', 'veth', 'peer', 'name', port, 'netns', hub)
      ip('-n', namespace, 'addr', 'add', `${this.address(name)}/24`, 'dev', 'line')
      for (const link of ['lo', 'line']) ip('-n', namespace, 'link', 'set', link, 'up')
      ip('-n', hub, 'link', 'set', port, 'master', 'bridge', 'up')
    }
  }

  address(name: string): string {
    const address = this.addresses.get(name)
    if (address === undefined) throw new Error(`no host ${name}`)
    return address
  }

  /** Words of a command that runs another one on a host. */
  at(name: string, ...command: readonly string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.#namespace(name), ...command]]
  }

  /** Drops every packet between a host and the others named, both ways. */
  cut(name: string, others: readonly string[]): void {
    const rules = others.flatMap((other) => [
      `add rule inet cut in ip saddr ${this.address(other)} drop`,
      `add rule inet cut out ip daddr ${this.address(other)} drop`
    ])
    const text = [
      'add table inet cut',
      'add chain inet cut in { type filter hook input priority 0; }',
      'add chain inet cut out { type filter hook output priority 0; }',
      ...rules
    ]
    const [command, args] = this.at(name, 'nft', '-f', '-')
    run(command, args, `${text.join('\n')}\n`)
  }

  heal(name: string): void {
    const [command, args] = this.at(name, 'nft', 'delete', 'table', 'inet', 'cut')
    run(command, args)
  }

  remove(): void {
    for (const name of ['hub', ...this.addresses.keys()]) spawnSync('ip', ['netns', 'del', this.#namespace(name)])
  }
}

/** A program in a process of its own, on one host, with messages both ways. */
export class Program {
  readonly #start: (env: Readonly<Record<string, string>>) => ChildProcess
  #process: ChildProcess | undefined

  constructor(hosts: Hosts, host: string, file: string, args: readonly string[]) {
    const script = new URL(file, import.meta.url).pathname
    const [command, words] = hosts.at(host, process.execPath, '--import=tsx', script, ...args)
    this.#start = (more) =>
      spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...more } })
  }

  get up(): boolean {
    return this.#process !== undefined
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Resolves with its first message. @param env Variables beside those of this process */
  async start(env: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const child = this.#start(env)
    this.#process = child
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`a program ended with ${code} before it was ready`)
    })
    const ready = once(child, 'message')
    ready.catch(() => {})
    ended.catch(() => {})
    const [message] = (await Promise.race([ready, ended])) as unknown[]
    return message
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}
