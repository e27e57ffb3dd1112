import { FakeClock } from '@rystra/testkit'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileSink } from '../src/file-sink.js'
import { fileOptions } from '../src/options.js'

export const line = (text: string): Buffer => Buffer.from(`${text}\n`)

/** An audit file in a folder of its own, with the lock that its writers share. */
export class AuditFile {
  dir = ''
  file = ''
  readonly locks = new Set<string>()
  locksFail = false
  /** What happens the next time that the lock is asked for. */
  beforeLock: ((name: string) => Promise<void>) | undefined
  readonly #clock = new FakeClock(Date.UTC(2024, 0, 31, 23, 59, 59, 990))
  readonly #sinks: FileSink[] = []

  async begin(): Promise<void> {
    this.dir = await mkdtemp(join(tmpdir(), 'rystra-audit-'))
    this.file = join(this.dir, 'audit.ndjson')
  }

  async end(): Promise<void> {
    for (const sink of this.#sinks) await sink.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  async open(options: object = {}, clock = this.#clock): Promise<FileSink> {
    const { file } = this
    const sink = new FileSink(file, fileOptions({ file, compress: false, ...options }), { clock, state: this })
    this.#sinks.push(sink)
    await sink.open()
    return sink
  }

  async lock(name: string): Promise<(() => Promise<void>) | undefined> {
    const work = this.beforeLock
    this.beforeLock = undefined
    await work?.(name)
    if (this.locksFail) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    if (this.locks.has(name)) return undefined
    this.locks.add(name)
    return async () => void this.locks.delete(name)
  }

  /** Names of rotated files. */
  async aside(): Promise<string[]> {
    return (await readdir(this.dir)).filter((name) => name.startsWith('audit-')).sort()
  }

  text(): Promise<string> {
    return readFile(this.file, 'utf8')
  }
}
