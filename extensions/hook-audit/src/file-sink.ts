import type { Clock } from '@rystra/plugin'
import { chmod, mkdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import { rotatedName, removeOld } from './rotation.js'
import { bytesOf, type FileOptions } from './options.js'
import { isTorn, fileState, type FileState } from './file-state.js'
import type { Sink } from './sink.js'

/** Readable by the owner only: records are confidential. */
const mode = 0o600

const intervals = { day: '1d', hour: '1h' } as const
const lineFeed = Buffer.from('\n')

/** A file that is rotated by size and time. Verifies that data was written. */
export class FileSink implements Sink {
  readonly name: string
  readonly #options: FileOptions
  readonly #clock: Clock
  #stream: RotatingFileStream | undefined
  /** The file after the last write; `undefined` if unknown. */
  #state: FileState | undefined
  #torn = false
  #rotations = 0
  #rotating = false
  /** The name of the last rotation. */
  #rotated = ''
  #rotatedAt = 0
  #removing: Promise<void> = Promise.resolve()

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
      // The mode of a foreign file stays unchanged.
      await chmod(this.name, mode).catch(() => undefined)
      this.#torn = await isTorn(this.name).catch(() => true)
      this.#state = await fileState(this.name)
    } catch (error) {
      await this.#drop()
      throw error
    }
  }

  #create(): RotatingFileStream {
    const { maxSize, every, compress } = this.#options
    const byTime = { intervalUTC: true, intervalBoundary: true, initialRotation: true }
    const stream = createStream((time: number | Date | null) => (time === null ? this.name : this.#nextRotatedName()), {
      size: `${bytesOf(maxSize)}B`,
      mode,
      ...(compress ? { compress: 'gzip' as const } : {}),
      ...(every === 'never' ? {} : { interval: intervals[every], ...byTime })
    })
    // The library uses its own clock otherwise.
    Object.assign(stream, { now: () => new Date(this.#clock.now()) })
    stream.on('rotation', () => {
      this.#rotations += 1
      this.#rotating = true
      this.#state = undefined
    })
    stream.on('rotated', () => {
      this.#removing = this.#removing.then(() => removeOld(this.name, this.#options.keep)).catch(() => undefined)
    })
    stream.on('open', () => {
      this.#rotating = false
    })
    // Errors are reported by the write or the opening.
    stream.on('error', () => {})
    return stream
  }

  /** Names are unique and ordered, so that no rotated file is overwritten. */
  #nextRotatedName(): string {
    this.#rotatedAt = Math.max(this.#rotatedAt + 1, this.#clock.now())
    this.#rotated = rotatedName(this.name, this.#rotatedAt, this.#options.compress)
    return this.#rotated
  }

  async write(lines: Buffer): Promise<void> {
    try {
      if (this.#stream === undefined || (await this.#moved())) await this.#reopen()
      await this.#append(lines)
      // The file may have been removed or rotated externally meanwhile.
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
    await this.#removing
  }

  /** Whether the path has another file than the open one, or none. */
  async #moved(): Promise<boolean> {
    if (this.#rotating) return false
    const rotations = this.#rotations
    const now = await fileState(this.name)
    if (this.#rotating || rotations !== this.#rotations) return false
    this.#state ??= now
    return now?.inode !== this.#state?.inode || now === undefined
  }

  async #reopen(): Promise<void> {
    await this.#drop()
    await this.open()
  }

  async #append(lines: Buffer): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) throw new Error('closed')
    const [before, rotations] = [this.#state, this.#rotations]
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
    const now = await fileState(this.name)
    if (this.#rotating || rotations !== this.#rotations || now?.inode !== before?.inode) return
    // A full disk accepts a part, and the library ignores the count.
    if (now !== undefined && before !== undefined && now.size < before.size + bytes.length) {
      throw Object.assign(new Error('partial write'), { code: 'ENOSPC' })
    }
    this.#state = now
  }

  /** Closes the stream, and removes the partial result of a failed rotation. */
  async #drop(): Promise<void> {
    const [stream, failed] = [this.#stream, this.#rotating]
    this.#stream = undefined
    this.#state = undefined
    this.#rotating = false
    if (stream === undefined) return
    if (!stream.closed) {
      const closed = new Promise<void>((resolve) => stream.once('close', resolve))
      stream.destroy()
      await closed
    }
    // The original still exists.
    if (failed && this.#rotated !== '' && (await fileState(this.name).catch(() => undefined)) !== undefined) {
      await unlink(this.#rotated).catch(() => undefined)
    }
  }
}
