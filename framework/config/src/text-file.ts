import { fileText, readBounded } from '@rystra/limits'
import { stat } from 'node:fs/promises'
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
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code === 'EFBIG') return invalid(path, message)
  const user = process.getuid === undefined ? '' : ` by the user of this process (${process.getuid()})`
  const problem =
    code === 'EACCES' || code === 'EPERM'
      ? `cannot be read${user}: ${code}`
      : code === 'EISDIR' || code === 'ENOTSUP'
        ? message
        : `cannot be read: ${code || message}`
  return new ConfigError('file.failed', [], path, [`${path}: ${problem}`])
}

/** The bytes of a file that does not change while it is read. */
const readStable = async (path: string): Promise<Buffer> => {
  for (let tries = 0; ; tries++) {
    const { bytes, stats } = await readBounded(path, maxFileSize)
    const { mtimeMs, size } = await stat(path)
    const isComplete = mtimeMs === stats.mtimeMs && size === bytes.length
    const wasTruncated = bytes.length === 0 && Date.now() - mtimeMs < 1000
    if ((isComplete && !wasTruncated) || tries === REREADS) return bytes
    await sleep(REREAD_MS)
  }
}

/**
 * Reads a text file as editors write it: UTF-8 with or without a byte order mark, lines ended by LF, CRLF or CR.
 * @throws file.failed, or config.syntax for another encoding
 */
export const readText = async (path: string): Promise<string> => {
  const bytes = await readStable(path).catch((error: unknown) => {
    throw error instanceof ConfigError ? error : unreadable(path, error)
  })
  try {
    return fileText(bytes)
  } catch (error) {
    throw invalid(path, (error as Error).message)
  }
}
