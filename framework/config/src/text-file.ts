import { readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError } from './problem.js'

/** 1 MiB: a thousand proxies take a tenth of it. */
export const maxFileSize = 1024 * 1024

/** An editor that truncates a file and writes it anew is waited for so long, and so often. */
const REREAD_MS = 50
const REREADS = 5

const invalid = (path: string, problem: string): ConfigError =>
  new ConfigError('config.syntax', [], path, [`${path}: ${problem}`])

/** The error of a file that the system does not let this process read. */
export const unreadable = (path: string, error: unknown): ConfigError => {
  const { code, message } = error as NodeJS.ErrnoException
  const user = process.getuid === undefined ? '' : ` by the user of this process (${process.getuid()})`
  const problem =
    code === 'EACCES' || code === 'EPERM'
      ? `cannot be read${user}: ${code}`
      : code === 'EISDIR'
        ? 'expected a file, got a folder'
        : `cannot be read: ${code ?? message}`
  return new ConfigError('file.failed', [], path, [`${path}: ${problem}`])
}

/** The bytes of a file that does not change while it is read. */
const readStable = async (path: string): Promise<Buffer> => {
  for (let tries = 0; ; tries++) {
    const before = await stat(path)
    if (before.size > maxFileSize) throw invalid(path, `larger than ${maxFileSize} bytes`)
    const bytes = await readFile(path)
    const { mtimeMs, size } = await stat(path)
    const isComplete = mtimeMs === before.mtimeMs && size === bytes.length
    const wasTruncated = bytes.length === 0 && Date.now() - mtimeMs < 1000
    if ((isComplete && !wasTruncated) || tries === REREADS) return bytes
    await sleep(REREAD_MS)
  }
}

/** How a file is encoded that is not UTF-8, in words; undefined for one that may be. */
const otherEncoding = (bytes: Buffer): string | undefined => {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return 'it is UTF-16'
  if (!bytes.includes(0)) return undefined
  const zeros = bytes.subarray(0, 64).filter((byte) => byte === 0).length
  return zeros * 3 > Math.min(bytes.length, 64) ? 'it is UTF-16 without a byte order mark' : 'it holds a NUL byte'
}

/**
 * Reads a text file as editors write it: UTF-8 with or without a byte order mark, lines ended by LF, CRLF or CR.
 * @throws file.failed, or config.syntax for another encoding
 */
export const readText = async (path: string): Promise<string> => {
  const bytes = await readStable(path).catch((error: unknown) => {
    throw error instanceof ConfigError ? error : unreadable(path, error)
  })
  const encoding = otherEncoding(bytes)
  if (encoding !== undefined) throw invalid(path, `${encoding}; save it as UTF-8`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll(/\r\n?/g, '\n')
  } catch {
    const lines = new TextDecoder().decode(bytes).split(/\r\n?|\n/)
    const line = lines.findIndex((text) => text.includes('\uFFFD')) + 1
    throw invalid(path, `line ${line} is not UTF-8, perhaps ISO 8859-1 or Windows-1252; save it as UTF-8`)
  }
}
