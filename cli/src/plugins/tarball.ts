import { fileText } from '@rystra/limits'
import { RystraError } from '@rystra/model'
import { list } from 'tar'

/** Larger than any package.json that means well. */
const MAX_MANIFEST_BYTES = 1024 * 1024

const failed = (path: string, detail: string, cause?: unknown): RystraError =>
  new RystraError('extension.not-found', { detail: `${path}: ${detail}`, cause, hint: 'make it with `npm pack`' })

/**
 * Reads the package.json at the top folder of a package tarball, whatever that folder is called. Writes and runs nothing.
 * Rejects with `extension.not-found`.
 */
export const manifestOfTarball = async (path: string): Promise<unknown> => {
  const chunks: Buffer[] = []
  let size = 0
  try {
    await list({
      file: path,
      strict: true,
      filter: (name) => /^[^/]+\/package\.json$/.test(name),
      onReadEntry: (entry) => {
        size = entry.size
        if (size <= MAX_MANIFEST_BYTES) entry.on('data', (chunk: Buffer) => chunks.push(chunk))
      }
    })
    if (size > MAX_MANIFEST_BYTES) throw new Error('its package.json is too large')
    if (chunks.length > 0) return JSON.parse(fileText(Buffer.concat(chunks))) as unknown
  } catch (cause) {
    throw failed(path, `it cannot be read as a package tarball (${cause instanceof Error ? cause.message : ''})`, cause)
  }
  throw failed(path, 'there is no package.json in it')
}
