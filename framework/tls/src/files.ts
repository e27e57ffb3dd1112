import { RystraError } from '@rystra/plugin'
import { createReadStream } from 'node:fs'
import path from 'node:path'

/** No PEM file of ours is larger; a path that is a device by mistake must not fill the memory. */
const LARGEST = 4 * 1024 * 1024

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  EISDIR: 'it is a folder',
  ENOTDIR: 'there is no such file'
}

/** What is wrong with which field. */
export const filesError = (detail: string, cause?: unknown, hint?: string): RystraError =>
  new RystraError('tls.files', { detail, cause, ...(hint === undefined ? {} : { hint }) })

/** What a failed look into the file system means, in words. */
export const reasonOf = (error: unknown): string =>
  reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as NodeJS.ErrnoException).code ?? String(error)

/** No more than a byte above the limit is read. */
const readText = async (file: string): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(file, { end: LARGEST })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads the file that `field` names. Rejects with `tls.files`. */
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
  if (text.length > LARGEST) throw filesError(`${field} ${file}: it is too large`)
  if (!kind.test(text)) throw filesError(`${field} ${file}: there is no ${what} in it (PEM)`)
  return text
}

export const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/
export const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/
export const CRL = /-----BEGIN X509 CRL-----/

const block = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g

/** Each revocation list of a text: node:tls reads but the first of one. */
export const crlsOf = (pem: string): string[] => pem.match(block) ?? []
