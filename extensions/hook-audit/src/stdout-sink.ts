import fs from 'node:fs'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { Sink } from './sink.js'

const write = promisify(fs.write)

/**
 * Standard output. Files are written asynchronously, as Node's stream would block on the disk; Node writes to pipes
 * without blocking.
 */
export class StdoutSink implements Sink {
  readonly name = 'stdout'
  readonly #stream: Writable
  readonly #file: number | undefined
  #written = 0

  constructor(stream: Writable & { readonly fd?: number } = process.stdout) {
    this.#stream = stream
    this.#file = stream.fd !== undefined && fs.fstatSync(stream.fd).isFile() ? stream.fd : undefined
  }

  open(): Promise<void> {
    return Promise.resolve()
  }

  async write(lines: Buffer): Promise<void> {
    if (this.#file === undefined) return this.#pass(lines)
    // Written bytes are not repeated after an error: a line starts only once.
    while (this.#written < lines.length) {
      const { bytesWritten } = await write(this.#file, lines, this.#written, lines.length - this.#written, null)
      this.#written += bytesWritten
    }
    this.#written = 0
  }

  #pass(lines: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      // Node reports a closed reader by an event, which ends the process without listener.
      const failed = (error: Error): void => reject(error)
      this.#stream.once('error', failed)
      this.#stream.write(lines, (error) => {
        setImmediate(() => this.#stream.off('error', failed))
        if (error) reject(error)
        else resolve()
      })
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
