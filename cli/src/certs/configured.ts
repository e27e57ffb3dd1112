import { checkAuthorities, checkCrls, checkPair, type Findings } from '@rystra/certificates'
import type { ResolvedConfig } from '@rystra/config'
import { RystraError, type Side } from '@rystra/model'
import { resolve } from 'node:path'
import { fileText, readBounded } from '@rystra/limits'
import { MAX_FILE_BYTES, reasonOf } from './read.js'

/** Something that a configuration says about certificates which cannot work, or will not for long. */
export interface CertificateFinding {
  readonly side: Side
  /** `server.listen[0].cert`. */
  readonly path: string
  readonly text: string
}

/** All of them. */
export interface CertificateFindings {
  readonly problems: readonly CertificateFinding[]
  readonly warnings: readonly CertificateFinding[]
}

type Entry = Readonly<Record<string, unknown>>

/** Fields with authorities and lists, whatever the transport is; `cert` and `key` are looked at together. */
const fields: Readonly<Record<string, (pem: string, now: number) => Findings>> = {
  ca: checkAuthorities,
  clientCa: checkAuthorities,
  crl: checkCrls
}

const fileOf = (entry: Entry, field: string): string | undefined => {
  const value = entry[field]
  return typeof value === 'string' && value !== '' ? value : undefined
}

class Checker {
  readonly problems: CertificateFinding[] = []
  readonly warnings: CertificateFinding[] = []
  readonly #dir: string
  readonly #now: number

  constructor(dir: string, now: number) {
    this.#dir = dir
    this.#now = now
  }

  /** @param entry is undefined where it is wrong by itself */
  async entry(side: Side, path: string, entry: Entry | undefined): Promise<void> {
    if (entry === undefined) return
    const add = (field: string, { problems, warnings }: Findings): void => {
      const where = `${fileOf(entry, field)}: `
      const finding = (text: string): CertificateFinding => ({ side, path: `${path}.${field}`, text: where + text })
      this.problems.push(...problems.map(finding))
      this.warnings.push(...warnings.map(finding))
    }
    const read = async (field: string): Promise<string | undefined> => {
      const file = fileOf(entry, field)
      if (file === undefined) return undefined
      try {
        return fileText((await readBounded(resolve(this.#dir, file), MAX_FILE_BYTES)).bytes)
      } catch (error) {
        const text = `${file}: ${reasonOf(error as Error)}`
        this.problems.push({ side, path: `${path}.${field}`, text })
        return undefined
      }
    }
    for (const [one, other] of [
      ['cert', 'key'],
      ['key', 'cert'],
      ['crl', 'clientCa']
    ] as const) {
      if (fileOf(entry, one) === undefined || fileOf(entry, other) !== undefined) continue
      this.problems.push({ side, path: `${path}.${one}`, text: `it is given without \`${other}\`` })
    }
    const [cert, key] = [await read('cert'), await read('key')]
    if (cert !== undefined) add('cert', checkPair(cert, key, this.#now))
    for (const [field, check] of Object.entries(fields)) {
      const text = await read(field)
      if (text !== undefined) add(field, check(text, this.#now))
    }
  }
}

/** Objects with the file of a certificate or of its key, at any depth: options of extensions. */
const pairsIn = (value: unknown, path: string): [path: string, entry: Entry][] => {
  if (typeof value !== 'object' || value === null) return []
  const entry = value as Entry
  const here: [string, Entry][] =
    fileOf(entry, 'cert') === undefined && fileOf(entry, 'key') === undefined ? [] : [[path, entry]]
  const step = (key: string): string => (Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`)
  return [...here, ...Object.entries(entry).flatMap(([key, item]) => pairsIn(item, step(key)))]
}

/** Looks at all certificates that a configuration names, as of `now` (ms). */
export const checkCertificates = async (
  { server, client, extensions }: ResolvedConfig,
  dir: string,
  now: number = Date.now()
): Promise<CertificateFindings> => {
  const checker = new Checker(dir, now)
  for (const [index, entry] of (server?.listen ?? []).entries())
    await checker.entry('server', `server.listen[${index}]`, entry)
  if (client !== undefined) await checker.entry('client', 'client.connect', client.connect)
  await checker.entry('server', 'server.cluster', server?.cluster)
  const side = server === undefined ? 'client' : 'server'
  for (const [index, entry] of (extensions ?? []).entries()) {
    const { options } = (entry ?? {}) as { options?: unknown }
    for (const [path, found] of pairsIn(options, `extensions[${index}].options`)) await checker.entry(side, path, found)
  }
  const { problems, warnings } = checker
  return { problems, warnings }
}

/** Throws `tls.files` with all problems, if there are any. */
export const refuseBroken = ({ problems }: CertificateFindings): void => {
  if (problems.length === 0) return
  const sides = new Set(problems.map(({ side }) => side))
  const [side] = sides
  throw new RystraError('tls.files', {
    detail: problems.map(({ path, text }) => `${path}: ${text}`).join('; '),
    ...(sides.size > 1 || side === undefined ? {} : { side })
  })
}
