import { RystraError } from '@rystra/plugin'
import { createReadStream } from 'node:fs'
import path from 'node:path'

/** Larger than any PEM file: a path to a device must not exhaust memory. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'file not found',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'file not found'
}

/** The error of a certificate file. `detail` names the field. */
export const filesError = (detail: string, cause?: unknown, hint?: string): RystraError =>
  new RystraError('tls.files', { detail, cause, ...(hint === undefined ? {} : { hint }) })

/** The text of a file system error. */
export const reasonOf = (error: unknown): string =>
  reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as NodeJS.ErrnoException).code ?? String(error)

/** Reads at most one byte more than the limit. */
const readText = async (file: string): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(file, { end: MAX_FILE_BYTES })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads the PEM file that `field` names. `what` names the expected content. Rejects with `tls.files`. */
export const readPem = async (
  field: string,
  file: string,
  dir: string,
  kind: RegExp,
  what: string
): Promise<string> => {
  const text = await readText(path.resolve(dir, file)).catch((error: unknown) => {
    throw filesError(`${field} ${file}: ${reasonOf(error)}`, error)
  })
  if (text.length > MAX_FILE_BYTES) throw filesError(`${field} ${file}: larger than ${MAX_FILE_BYTES} bytes`)
  if (!kind.test(text)) throw filesError(`${field} ${file}: contains no ${what} (PEM)`)
  return text
}

export const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/
export const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/
