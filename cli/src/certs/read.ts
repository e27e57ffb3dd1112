import type { KeyPair } from '@rystra/certificates'
import { fileText } from '@rystra/limits'
import { RystraError } from '@rystra/model'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/** No PEM file of ours comes near; a device that is named by mistake does not fill the memory. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  EISDIR: 'it is a folder'
}

/** Why a file cannot be read. */
export const reasonOf = (error: NodeJS.ErrnoException): string => {
  const { code = '', message } = error
  return reasons[code] ?? ('syscall' in error ? code : message)
}

/** Reads a PEM file. Rejects with `tls.files`. */
export const readText = async (path: string, hint?: string): Promise<string> => {
  const failed = (detail: string, cause?: unknown) =>
    new RystraError('tls.files', { detail: `${path}: ${detail}`, cause, ...(hint === undefined ? {} : { hint }) })
  try {
    const handle = await open(path, 'r')
    try {
      const buffer = Buffer.alloc(MAX_FILE_BYTES)
      let length = 0
      while (length < MAX_FILE_BYTES) {
        const { bytesRead } = await handle.read(buffer, length, MAX_FILE_BYTES - length)
        if (bytesRead === 0) return fileText(buffer.subarray(0, length))
        length += bytesRead
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw failed(reasonOf(error as Error), error)
  }
  throw failed('it is too large')
}

/** The files of an authority. */
export const authorityFiles = { cert: 'ca.pem', key: 'ca-key.pem', crl: 'crl.pem' } as const

/** Reads the authority in a folder. Rejects with `tls.files`. */
export const readAuthority = async (dir: string): Promise<KeyPair> => {
  const hint = 'make an authority first: `rystra cert:ca`; or name its folder with --ca'
  return {
    cert: await readText(join(dir, authorityFiles.cert), hint),
    key: await readText(join(dir, authorityFiles.key), hint)
  }
}
