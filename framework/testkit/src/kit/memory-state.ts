import type { StateFolder } from '@rystra/plugin'
import { mkdir } from 'node:fs/promises'

/** A state folder in memory. {@link make} makes a real one, for libraries that need it. */
export class MemoryState implements StateFolder {
  readonly #files = new Map<string, Buffer>()

  constructor(readonly path: string) {}

  async make(): Promise<string> {
    await mkdir(this.path, { recursive: true, mode: 0o700 })
    return this.path
  }

  read(file: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.#files.get(file))
  }

  write(file: string, content: string | Uint8Array): Promise<void> {
    this.#files.set(file, Buffer.from(content))
    return Promise.resolve()
  }

  lock(file: string): Promise<(() => Promise<void>) | undefined> {
    if (this.#files.has(file)) return Promise.resolve(undefined)
    this.#files.set(file, Buffer.alloc(0))
    return Promise.resolve(() => this.remove(file))
  }

  remove(file: string): Promise<void> {
    this.#files.delete(file)
    return Promise.resolve()
  }
}
