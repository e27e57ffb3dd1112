import type { Problem } from '@rystra/config'
import { fileText, plainSecret, readBounded } from '@rystra/limits'
import { resolve } from 'node:path'
import { reasonOf } from './certs/read.js'

/** Larger than any file that an option names. */
const MAX_FILE_BYTES = 8 * 1024 * 1024

/** What of a JSON Schema leads to fields that name files. */
interface FileSchema {
  /** What is in the file that the field names: text, one secret, or bytes of any form. */
  readonly file?: 'text' | 'secret' | 'bytes'
  readonly properties?: Readonly<Record<string, FileSchema>>
  readonly items?: FileSchema
  readonly anyOf?: readonly FileSchema[]
  readonly allOf?: readonly FileSchema[]
}

interface NamedFile {
  readonly path: string
  readonly file: string
  readonly content: NonNullable<FileSchema['file']>
}

const filesIn = (schema: FileSchema | undefined, value: unknown, path: string): NamedFile[] => {
  if (schema === undefined || value === undefined || value === null) return []
  if (typeof value === 'string')
    // An address of the web may stand where a file may.
    return schema.file === undefined || /^[a-z]{2,}:\/\//i.test(value)
      ? []
      : [{ path, file: value, content: schema.file }]
  if (Array.isArray(value)) return value.flatMap((item, i) => filesIn(schema.items, item, `${path}[${i}]`))
  if (typeof value !== 'object') return []
  const branches = [schema, ...(schema.anyOf ?? []), ...(schema.allOf ?? [])]
  const found = Object.entries(value).flatMap(([key, item]) =>
    branches.flatMap(({ properties = {} }) =>
      Object.hasOwn(properties, key) ? filesIn(properties[key], item, `${path}.${key}`) : []
    )
  )
  return [...new Map(found.map((one) => [one.path, one])).values()]
}

const tried = async ({ path, file, content }: NamedFile, dir: string): Promise<Problem[]> => {
  try {
    const { bytes } = await readBounded(resolve(dir, file), MAX_FILE_BYTES)
    const text = content === 'bytes' ? '' : fileText(bytes)
    if (content === 'secret' && plainSecret(text) === '') throw new Error('it is empty')
    return []
  } catch (error) {
    return [{ path, value: JSON.stringify(file), expected: `a file that can be used: ${reasonOf(error as Error)}` }]
  }
}

/** What is wrong with the files that a value names in fields of its schema with the keyword `file`. */
export const checkNamedFiles = async (schema: unknown, value: unknown, path: string, dir: string): Promise<Problem[]> =>
  (await Promise.all(filesIn(schema as FileSchema, value, path).map((one) => tried(one, dir)))).flat()
