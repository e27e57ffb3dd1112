import { stat } from 'node:fs/promises'
import { readBounded } from './bounded-file.js'

/** How a {@link ReloadedFile} is read. */
export interface ReloadedFileOptions<Content> {
  /** Largest file, in bytes. @default 1 MiB */
  readonly max?: number
  /** What the file says. Throws for content that is not valid. */
  parse(bytes: Buffer): Content | Promise<Content>
  /** Called when it was read, and other users of the machine may read it as well. @default nothing is done */
  onShared?(): void
}

/** A file that is read again when it has changed. Content that is not valid leaves the previous one in place. */
export class ReloadedFile<Content> {
  readonly path: string
  readonly #options: ReloadedFileOptions<Content>
  #content: Content | undefined
  #stamp = ''

  constructor(path: string, options: ReloadedFileOptions<Content>) {
    this.path = path
    this.#options = options
  }

  /** `undefined` before it was read. */
  get content(): Content | undefined {
    return this.#content
  }

  /** Reads it if it has changed. Resolves to whether it has. Rejects with why it cannot be used. */
  async read(): Promise<boolean> {
    const { max = 1 << 20, parse, onShared } = this.#options
    const { mtimeMs, size, ino, mode } = await stat(this.path)
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (stamp === this.#stamp) return false
    const { bytes } = await readBounded(this.path, max)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) onShared?.()
    this.#content = await parse(bytes)
    this.#stamp = stamp
    return true
  }
}
