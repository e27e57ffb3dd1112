import type { Clock } from '@rystra/plugin'
import { chmod, mkdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import { asideOf, tidy } from './aside.js'
import { bytesOf, type FileOptions } from './options.js'
import { isTorn, look, type Seen } from './seen.js'
import type { Sink } from './sink.js'

/** For the owner alone: who talks to whom is nobody else's business. */
const mode = 0o600

const intervals = { day: '1d', hour: '1h' } as const
const lineFeed = Buffer.from('\n')

/** A file that is put aside by size and by day. Makes sure that what was written is there. */
export class FileSink implements Sink {
  readonly name: string
  readonly #options: FileOptions
  readonly #clock: Clock
  #stream: RotatingFileStream | undefined
  /** The file as it was after the last write; `undefined` when that is not known. */
  #seen: Seen | undefined
  #torn = false
  #rotations = 0
  #rotating = false
  /** Where it was put aside to last, or is being put aside to. */
  #aside = ''
  #asideAt = 0
  #tidying: Promise<void> = Promise.resolve()

  constructor(file: string, options: FileOptions, clock: Clock) {
    this.name = file
    this.#options = options
    this.#clock = clock
  }

  async open(): Promise<void> {
    await mkdir(path.dirname(this.name), { recursive: true })
    const stream = this.#create()
    this.#stream = stream
    try {
      await new Promise<void>((resolve, reject) => {
        stream.once('open', () => resolve())
        stream.once('error', reject)
        stream.once('close', () => reject(new Error('closed')))
      })
      // One that is another's stays as it is.
      await chmod(this.name, mode).catch(() => undefined)
      this.#torn = await isTorn(this.name).catch(() => true)
      this.#seen = await look(this.name)
    } catch (error) {
      await this.#drop()
      throw error
    }
  }

  #create(): RotatingFileStream {
    const { maxSize, every, compress } = this.#options
    const byTime = { intervalUTC: true, intervalBoundary: true, initialRotation: true }
    const stream = createStream((time: number | Date | null) => (time === null ? this.name : this.#nextAside()), {
      size: `${bytesOf(maxSize)}B`,
      mode,
      ...(compress ? { compress: 'gzip' as const } : {}),
      ...(every === 'never' ? {} : { interval: intervals[every], ...byTime })
    })
    // The library asks itself what time it is.
    Object.assign(stream, { now: () => new Date(this.#clock.now()) })
    stream.on('rotation', () => {
      this.#rotations += 1
      this.#rotating = true
      this.#seen = undefined
    })
    stream.on('rotated', () => {
      this.#tidying = this.#tidying.then(() => tidy(this.name, this.#options.keep)).catch(() => undefined)
    })
    stream.on('open', () => {
      this.#rotating = false
    })
    // Whatever fails fails a write, or the opening.
    stream.on('error', () => {})
    return stream
  }

  /** Never the same twice, so that nothing that was put aside is written over, and the order holds. */
  #nextAside(): string {
    this.#asideAt = Math.max(this.#asideAt + 1, this.#clock.now())
    this.#aside = asideOf(this.name, this.#asideAt, this.#options.compress)
    return this.#aside
  }

  async write(lines: Buffer): Promise<void> {
    try {
      if (this.#stream === undefined || (await this.#moved())) await this.#reopen()
      await this.#append(lines)
      // Somebody removed it, or put it aside, in this very moment: then it may be nowhere.
      if (!(await this.#moved())) return
      await this.#reopen()
      await this.#append(lines)
    } catch (error) {
      await this.#drop()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#drop()
    await this.#tidying
  }

  /** Whether the file at this path is another than the one that is open, or none. */
  async #moved(): Promise<boolean> {
    if (this.#rotating) return false
    const rotations = this.#rotations
    const now = await look(this.name)
    if (this.#rotating || rotations !== this.#rotations) return false
    this.#seen ??= now
    return now?.inode !== this.#seen?.inode || now === undefined
  }

  async #reopen(): Promise<void> {
    await this.#drop()
    await this.open()
  }

  async #append(lines: Buffer): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) throw new Error('closed')
    const [before, rotations] = [this.#seen, this.#rotations]
    const bytes = this.#torn ? Buffer.concat([lineFeed, lines]) : lines
    await new Promise<void>((resolve, reject) => {
      const closed = (): void => reject(new Error('closed'))
      stream.once('close', closed)
      stream.write(bytes, (error) => {
        stream.off('close', closed)
        if (error) reject(error)
        else resolve()
      })
    })
    this.#torn = false
    if (this.#rotating || rotations !== this.#rotations) return
    const now = await look(this.name)
    if (this.#rotating || rotations !== this.#rotations || now?.inode !== before?.inode) return
    // A disk that fills up takes a part, and the system says so in a number that nobody looks at.
    if (now !== undefined && before !== undefined && now.size < before.size + bytes.length) {
      throw Object.assign(new Error('a part was not written'), { code: 'ENOSPC' })
    }
    this.#seen = now
  }

  /** Lets the stream go, and what it left behind of a file that it failed to put aside. */
  async #drop(): Promise<void> {
    const [stream, failed] = [this.#stream, this.#rotating]
    this.#stream = undefined
    this.#seen = undefined
    this.#rotating = false
    if (stream === undefined) return
    if (!stream.closed) {
      const closed = new Promise<void>((resolve) => stream.once('close', resolve))
      stream.destroy()
      await closed
    }
    // As long as the file is there, nothing is lost with the copy.
    if (failed && this.#aside !== '' && (await look(this.name).catch(() => undefined)) !== undefined) {
      await unlink(this.#aside).catch(() => undefined)
    }
  }
}
