import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** What `perf stat -x,` printed for one event: undefined where it was not counted. */
export const readCount = (text: string): number | undefined => {
  const [first = ''] = text.trim().split('\n').at(-1)?.split(',') ?? []
  return /^[\d.]+$/.test(first) ? Number(first) : undefined
}

/** Counts an event of processes by `perf stat`, in all of their threads. */
export class EventCount {
  readonly #perf: ChildProcess
  #text = ''

  private constructor(perf: ChildProcess) {
    this.#perf = perf
    perf.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
    })
  }

  /** Whether this machine lets it count: few virtual machines do. */
  static available(event: string): boolean {
    const { stderr, error } = spawnSync('perf', ['stat', '-x,', '-e', event, process.execPath, '--version'], {
      encoding: 'utf8'
    })
    return error === undefined && readCount(stderr) !== undefined
  }

  static async of(pids: readonly number[], event: string): Promise<EventCount> {
    const perf = spawn('perf', ['stat', '-x,', '-e', event, '-p', pids.join(',')], {
      stdio: ['ignore', 'ignore', 'pipe']
    })
    await once(perf, 'spawn')
    return new EventCount(perf)
  }

  async stop(): Promise<number> {
    const closed = once(this.#perf, 'close')
    this.#perf.kill('SIGINT')
    await closed
    const count = readCount(this.#text)
    if (count === undefined) throw new Error(`perf counted nothing: ${this.#text.trim()}`)
    return count
  }
}
