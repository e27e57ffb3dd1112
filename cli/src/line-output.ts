import fs from 'node:fs'
import type { Writable } from 'node:stream'
import { isatty } from 'node:tty'

/** Bytes queued for a reader that is slow or has stopped: some thousand lines. Further lines are dropped and counted. */
const MAX_QUEUED_BYTES = 1024 * 1024

/** How long an exit waits until queued lines are written. */
const FLUSH_TIMEOUT_MS = 1000

/** A stream with its descriptor: `process.stdout`. */
export type OutputStream = Writable & { readonly fd?: number }

/** How a {@link LineOutput} tells of itself. */
export interface LineOutputOptions {
  /** A line that says how many lines were dropped, and why: `ENOSPC`, or `slow reader`. */
  readonly lostLine: (count: number, reason: string) => string
  /** Called once, when the reader of the stream has gone. */
  readonly onGone?: () => void
}

/**
 * Writes whole lines to stdout or stderr. Never throws and never waits: lines that cannot be written are dropped and
 * counted, and the next line that can be written is preceded by the count.
 */
export class LineOutput {
  readonly #stream: OutputStream
  readonly #options: LineOutputOptions
  /** Set where the stream is a file or a device: Node ignores that a write to a full disk was short. */
  readonly #file: number | undefined
  #lost = 0
  #reason = ''
  #torn = false
  #gone = false

  constructor(stream: OutputStream, options: LineOutputOptions) {
    this.#stream = stream
    this.#options = options
    this.#file = stream.fd !== undefined && isFile(stream.fd) ? stream.fd : undefined
    if (isTerminal(stream)) stream._handle.setBlocking(false)
    // Without a listener the error would end the process. The callback of write() reports it.
    stream.on('error', () => {})
    stream.on('drain', () => this.#tellLost())
  }

  /** Writes a line, which ends with a line feed. */
  write(line: string): void {
    if (this.#stream.writableLength > MAX_QUEUED_BYTES) {
      this.#lose(1, 'slow reader')
      return
    }
    const lost = this.#lost
    const before = lost === 0 ? '' : this.#options.lostLine(lost, this.#reason)
    this.#lost = 0
    this.#put(before + line, lost + 1)
  }

  #put(text: string, lines: number): void {
    if (this.#file !== undefined) this.#putToFile(this.#file, text, lines)
    else this.#putToStream(text, lines)
  }

  #putToStream(text: string, lines: number): void {
    this.#stream.write(text, (error) => {
      if (!error) return
      const { code = error.message } = error as NodeJS.ErrnoException
      this.#lose(lines, code)
      if (code === 'EPIPE' && !this.#gone) {
        this.#gone = true
        this.#options.onGone?.()
      }
    })
  }

  #putToFile(file: number, text: string, lines: number): void {
    const bytes = Buffer.from(this.#torn ? `\n${text}` : text)
    let written = 0
    try {
      while (written < bytes.length) written += fs.writeSync(file, bytes, written)
      this.#torn = false
    } catch (error) {
      // The rest of a line that was cut must not be followed by another line.
      this.#torn ||= written > 0
      this.#lose(lines, (error as NodeJS.ErrnoException).code ?? String(error))
    }
  }

  #lose(lines: number, reason: string): void {
    this.#lost += lines
    this.#reason = reason
  }

  #tellLost(): void {
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.#put(this.#options.lostLine(lost, this.#reason), lost)
  }
}

/** Node makes terminals block: Ctrl-S would stop the whole process. Its only way to undo that is on the handle. */
const isTerminal = (stream: object): stream is { _handle: { setBlocking(blocking: boolean): void } } => {
  const { isTTY, _handle } = stream as { isTTY?: boolean; _handle?: { setBlocking?: unknown } }
  return isTTY === true && typeof _handle?.setBlocking === 'function'
}

const isFile = (fd: number): boolean => {
  try {
    const stats = fs.fstatSync(fd)
    return stats.isFile() || (stats.isCharacterDevice() && !isatty(fd))
  } catch {
    return false
  }
}

/** Resolves when a stream has written what is queued, or after a second: its reader may have stopped. */
export const flushed = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, FLUSH_TIMEOUT_MS)
    stream.write('', () => resolve())
  })
