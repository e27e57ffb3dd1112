import fs from 'node:fs'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { Sink } from './sink.js'

const write = promisify(fs.write)

/**
 * The standard output. Where it is a file it is written to beside the event loop, since Node's own stream would wait for
 * the disk; to a pipe Node writes without waiting.
 */
export class StdoutSink implements Sink {
  readonly name = 'stdout'
  readonly #stream: Writable
  readonly #file: number | undefined
  #given = 0

  constructor(stream: Writable & { readonly fd?: number } = process.stdout) {
    this.#stream = stream
    this.#file = stream.fd !== undefined && fs.fstatSync(stream.fd).isFile() ? stream.fd : undefined
  }

  open(): Promise<void> {
    return Promise.resolve()
  }

  async write(lines: Buffer): Promise<void> {
    if (this.#file === undefined) return this.#pass(lines)
    // What went before an error is not given again: a line begins only once.
    while (this.#given < lines.length) {
      const { bytesWritten } = await write(this.#file, lines, this.#given, lines.length - this.#given, null)
      this.#given += bytesWritten
    }
    this.#given = 0
  }

  #pass(lines: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      // Who reads is gone: Node tells that by an event, and without a listener it ends the process.
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
