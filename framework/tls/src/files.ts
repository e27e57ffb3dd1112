import { fileText, readBounded } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'
import path from 'node:path'

/** Larger than any PEM file: a path to a device must not exhaust memory. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'file not found',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTDIR: 'file not found'
}

/** The error of a certificate file. `detail` names the field. */
export const filesError = (detail: string, cause?: unknown, hint?: string): RystraError =>
  new RystraError('tls.files', { detail, cause, ...(hint === undefined ? {} : { hint }) })

/** The text of a file system error. */
export const reasonOf = (error: NodeJS.ErrnoException): string =>
  isOwn(error) ? error.message : (reasons[error.code ?? ''] ?? error.code ?? String(error))

/** Whether its text says what is wrong; errors of the system have a code alone. */
const isOwn = (error: Error): boolean => !('syscall' in error) && error.message !== ''

/** Reads the PEM file that `field` names. `what` names the expected content. Rejects with `tls.files`. */
export const readPem = async (
  field: string,
  file: string,
  dir: string,
  kind: RegExp,
  what: string
): Promise<string> => {
  let text: string
  try {
    text = fileText((await readBounded(path.resolve(dir, file), MAX_FILE_BYTES)).bytes)
  } catch (error) {
    throw filesError(`${field} ${file}: ${reasonOf(error as Error)}`, error)
  }
  if (!kind.test(text)) throw filesError(`${field} ${file}: contains no ${what} (PEM)`)
  return text
}

export const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/
export const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/
