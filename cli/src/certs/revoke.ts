import { type CrlDescription, describeCrls, type RevocationReason, revoke } from '@rystra/certificates'
import { RystraError } from '@rystra/model'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { putFiles } from './put.js'
import { authorityFiles, readAuthority, readText } from './read.js'

/** The list as it is now. */
export interface Revoked {
  readonly crl: string
  readonly list: CrlDescription
}

/** Puts a certificate on the list of an authority; none renews the list. Rejects with `cert.invalid` or `tls.files`. */
export const revokeCertificate = async (
  file: string | undefined,
  ca: string,
  reason: string | undefined
): Promise<Revoked> => {
  const authority = await readAuthority(ca)
  const path = join(ca, authorityFiles.crl)
  const there = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new RystraError('tls.files', { detail: `${path}: ${error.code}`, cause: error })
  })
  const previous = there === undefined ? undefined : await readText(path)
  const certificates =
    file === undefined
      ? []
      : [{ cert: await readText(file), ...(reason === undefined ? {} : { reason: reason as RevocationReason }) }]
  const text = await revoke(authority, certificates, previous)
  // Nothing is lost: the new list has all of the old one.
  await putFiles(ca, [{ name: authorityFiles.crl, text, secret: false }], true)
  return { crl: path, list: describeCrls(text)[0] as CrlDescription }
}
