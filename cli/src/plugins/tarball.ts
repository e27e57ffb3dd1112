import { RystraError } from '@rystra/model'
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

const blockSize = 512
/** Larger than any package.json that means well. */
const manifestLimit = 1024 * 1024
/** Larger than any extension that means well; what comes after is not read. */
const readLimit = 256 * 1024 * 1024

const text = (block: Buffer, from: number, length: number): string => {
  const field = block.subarray(from, from + length)
  const end = field.indexOf(0)
  return field.subarray(0, end === -1 ? length : end).toString('utf8')
}

/** The package.json in the folder of a package tarball, and whatever that folder is called. */
const isManifest = (name: string): boolean => /^[^/]+\/package\.json$/.test(name)

const failed = (path: string, detail: string, cause?: unknown): RystraError =>
  new RystraError('extension.not-found', { detail: `${path}: ${detail}`, cause, hint: 'make it with `npm pack`' })

/**
 * Reads the package.json out of a `.tgz` (ustar, with the headers of pax skipped), and nothing else: nothing is written
 * or run. Rejects with `extension.not-found`.
 */
export const manifestOfTarball = async (path: string): Promise<unknown> => {
  const source = createReadStream(path)
  const bytes = source.pipe(createGunzip())
  source.on('error', (error) => bytes.destroy(error))
  let pending: Buffer = Buffer.alloc(0)
  let skip = 0
  let total = 0
  let wanted: number | undefined
  try {
    for await (const chunk of bytes) {
      total += (chunk as Buffer).length
      if (total > readLimit) break
      pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer])
      for (;;) {
        if (skip > 0) {
          const step = Math.min(skip, pending.length)
          pending = pending.subarray(step)
          skip -= step
          if (skip > 0) break
        }
        if (wanted !== undefined) {
          if (pending.length < wanted) break
          return JSON.parse(pending.subarray(0, wanted).toString('utf8')) as unknown
        }
        if (pending.length < blockSize) break
        const header = pending.subarray(0, blockSize)
        pending = pending.subarray(blockSize)
        if (header[0] === 0) continue
        const size = Number.parseInt(text(header, 124, 12).trim() || '0', 8)
        if (!Number.isSafeInteger(size) || size < 0) throw new Error('a header is damaged')
        const type = String.fromCharCode(header[156] ?? 0)
        if (isManifest(text(header, 0, 100)) && (type === '0' || type === '\0')) {
          if (size > manifestLimit) throw new Error('its package.json is too large')
          wanted = size
        } else {
          skip = Math.ceil(size / blockSize) * blockSize
        }
      }
    }
  } catch (cause) {
    throw failed(path, `it cannot be read as a package tarball (${cause instanceof Error ? cause.message : ''})`, cause)
  } finally {
    source.destroy()
    bytes.destroy()
  }
  throw failed(path, 'there is no package.json in it')
}
