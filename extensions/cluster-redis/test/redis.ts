import { createClient } from '@redis/client'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { freePort } from '@rystra/testkit'

/** Whether the machine has a Redis to test with. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** Milliseconds between two attempts to connect. */
const RETRY_MS = 10

const clientOf = (url: string) => createClient({ url })

/** A Redis of its own, without data on the disk. */
export class Redis {
  readonly port: number
  readonly #args: readonly string[]
  #process: ChildProcess | undefined

  private constructor(port: number, args: readonly string[]) {
    this.port = port
    this.#args = args
  }

  static async start(args: readonly string[] = []): Promise<Redis> {
    const redis = new Redis(await freePort(), args)
    await redis.start()
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...this.#args]
    this.#process = spawn('redis-server', args, { stdio: 'ignore' })
    for (;;) {
      const socket = net.connect(this.port, '127.0.0.1')
      try {
        await once(socket, 'connect')
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      } finally {
        socket.destroy()
      }
    }
  }

  async stop(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    if (process === undefined) return
    const gone = once(process, 'exit')
    process.kill('SIGKILL')
    await gone
  }

  /** Lets it answer nothing, or go on. */
  pause(paused: boolean): void {
    this.#process?.kill(paused ? 'SIGSTOP' : 'SIGCONT')
  }

  /** Runs commands by hand. */
  async by(hand: (client: ReturnType<typeof clientOf>) => Promise<void>): Promise<void> {
    const client = clientOf(this.url)
    client.on('error', () => {})
    await client.connect()
    try {
      await hand(client)
    } finally {
      client.destroy()
    }
  }
}
