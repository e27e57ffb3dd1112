import { readBounded } from '@rystra/limits'
import { X509Certificate } from 'node:crypto'
import path from 'node:path'

const DAY_MS = 24 * 60 * 60 * 1000

/** Larger than any file of certificates. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

/** A certificate that ends soon, or has ended. */
export interface Expiring {
  readonly file: string
  readonly subject: string
  /** ISO 8601, UTC. */
  readonly expires: string
  /** Whole days until then; negative once it has ended. */
  readonly days: number
}

/** The files that a configuration names as `cert`, wherever they are in it. */
export const certificatesIn = (config: unknown): string[] => {
  if (typeof config !== 'object' || config === null) return []
  return Object.entries(config).flatMap(([key, value]) =>
    key === 'cert' && typeof value === 'string' ? [value] : certificatesIn(value)
  )
}

/** The certificates among these files that end within `before` days. Files that cannot be read are left to their users to report. */
export const expiringIn = async (
  files: readonly string[],
  dir: string,
  before: number,
  now: number
): Promise<Expiring[]> => {
  const found: Expiring[] = []
  for (const file of new Set(files)) {
    try {
      const certificate = new X509Certificate((await readBounded(path.resolve(dir, file), MAX_FILE_BYTES)).bytes)
      const ends = Date.parse(certificate.validTo)
      const days = Math.floor((ends - now) / DAY_MS)
      if (days < before) found.push({ file, subject: certificate.subject, expires: new Date(ends).toISOString(), days })
    } catch {
      // A missing or broken file fails the start or the reload of what uses it.
    }
  }
  return found
}
