import type { Clock, StateFolder } from '@rystra/plugin'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { type FileState, fileState, isTorn, stateOf } from './file-state.js'
import { bytesOf, type FileOptions } from './options.js'
import { compress, lockName, periodOf, removeOld, setAside, untilNextPeriod } from './rotation.js'
import type { Sink } from './sink.js'

/** Readable by the owner only: records are confidential. */
const mode = 0o600
const lineFeed = Buffer.from('\n')

/** Milliseconds after which the lock of a process that was killed while it rotated counts no more. */
const LOCK_TIMEOUT_MS = 10_000

/** What a {@link FileSink} needs of its extension. */
export interface FileSinkHost {
  readonly clock: Clock
  /** Shared by all processes that write the file. */
  readonly state: Pick<StateFolder, 'lock'>
}

/**
 * A file that is rotated by size and time, also by several processes at once: members of a server, and a server with the one
 * that takes over from it. Verifies that data was written.
 */
export class FileSink implements Sink {
  readonly name: string
  readonly #options: FileOptions
  readonly #host: FileSinkHost
  #handle: FileHandle | undefined
  /** The file after the last write. */
  #known: FileState | undefined
  /** Day or hour that the file belongs to. */
  #period = 0
  #torn = false
  #closed = false
  /** One write or rotation after the other. */
  #last: Promise<unknown> = Promise.resolve()
  /** Compresses and removes rotated files. */
  #tidying: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined

  constructor(file: string, options: FileOptions, host: FileSinkHost) {
    this.name = file
    this.#options = options
    this.#host = host
  }

  open(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#reopen()
        await this.#rotateWhenDue()
      } catch (error) {
        await this.#drop()
        throw error
      }
      this.#startTimer()
    })
  }

  write(lines: Buffer): Promise<void> {
    return this.#inTurn(async () => {
      try {
        const present = await fileState(this.name)
        if (this.#handle === undefined || present?.inode !== this.#known?.inode) await this.#reopen()
        // Another process has written: a full disk may have taken half of its last line.
        else if (present?.size !== this.#known?.size) this.#torn = await isTorn(this.name).catch(() => true)
        await this.#rotateWhenDue()
        await this.#append(lines)
        // The file was removed, or rotated by another process and compressed, while it was written to.
        if ((await this.#moved()) && (await this.#handle?.stat())?.nlink === 0) {
          await this.#reopen()
          await this.#append(lines)
        }
      } catch (error) {
        await this.#drop()
        throw error
      }
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#drop()
    await this.#tidying
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Rotates at the beginning of a day or hour, although nothing is written then. */
  #startTimer(): void {
    const { every } = this.#options
    if (every === 'never' || this.#closed) return
    this.#cancelTimer?.()
    this.#cancelTimer = this.#host.clock.after(untilNextPeriod(every, this.#host.clock.now()), () => {
      // The next write tries again, and reports what fails.
      this.#inTurn(() => this.#rotateWhenDue()).catch(() => undefined)
      this.#startTimer()
    })
  }

  async #reopen(): Promise<void> {
    await this.#drop()
    if (this.#closed) throw new Error('closed')
    await mkdir(path.dirname(this.name), { recursive: true })
    const handle = await open(this.name, 'a', mode)
    this.#handle = handle
    // The mode of a foreign file stays unchanged.
    await handle.chmod(mode).catch(() => undefined)
    this.#torn = await isTorn(this.name).catch(() => true)
    const stats = await handle.stat()
    this.#known = stateOf(stats)
    const since = stats.size === 0 ? this.#host.clock.now() : stats.mtimeMs
    this.#period = periodOf(this.#options.every, since)
  }

  /** Whether the path has another file than the open one, or none. */
  async #moved(): Promise<boolean> {
    return (await fileState(this.name))?.inode !== this.#known?.inode
  }

  async #rotateWhenDue(): Promise<void> {
    const { every, maxSize } = this.#options
    const { clock, state } = this.#host
    const size = this.#known?.size ?? 0
    if (size === 0) {
      this.#period = periodOf(every, clock.now())
      return
    }
    if (size < bytesOf(maxSize) && periodOf(every, clock.now()) <= this.#period) return
    // Without a folder that can be written it is put aside all the same: two processes that do so at once lose nothing.
    const release = await state.lock(lockName(this.name), LOCK_TIMEOUT_MS).catch(() => () => undefined)
    // Another process rotates it now: the file may become a little larger.
    if (release === undefined) return
    try {
      // Another process has rotated it meanwhile.
      const rotated = (await this.#moved()) ? undefined : await setAside(this.name, clock.now())
      if (rotated !== undefined) this.#tidy(rotated)
      await this.#reopen()
    } finally {
      await release()
    }
  }

  #tidy(rotated: string): void {
    const { compress: compressed, keep } = this.#options
    this.#tidying = this.#tidying
      .then(() => (compressed ? compress(rotated) : undefined))
      // It stays as it is, and is kept and removed like the others.
      .catch(() => undefined)
      .then(() => removeOld(this.name, keep))
      .catch(() => undefined)
  }

  async #append(lines: Buffer): Promise<void> {
    const [handle, before] = [this.#handle, this.#known]
    if (handle === undefined || before === undefined) throw new Error('closed')
    const bytes = this.#torn ? Buffer.concat([lineFeed, lines]) : lines
    const { bytesWritten } = await handle.write(bytes)
    const now = stateOf(await handle.stat())
    // A full disk accepts a part. Other processes only add.
    if (bytesWritten < bytes.length || now.size < before.size + bytes.length) {
      throw Object.assign(new Error('partial write'), { code: 'ENOSPC' })
    }
    this.#torn = false
    this.#known = now
  }

  async #drop(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    this.#known = undefined
    await handle?.close().catch(() => undefined)
  }
}
