import hookAudit from '@rystra/hook-audit'
import hookRewrite from '@rystra/hook-rewrite'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { later } from './tunnel.js'

export type Record = { readonly [field: string]: unknown }

/** A file for records, gone after the test. */
export const auditFile = () => {
  const dir = mkdtempSync(join(tmpdir(), 'rystra-records-'))
  later(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'audit.ndjson')
  const records = (): Record[] =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record)
  return {
    file,
    audit: hookAudit({ to: { file, maxSize: '10MB', every: 'never', keep: 1, compress: false } }),
    records
  }
}

export const swap = (find: string, replace: string, more: object = {}) => ({
  rules: [{ bytes: [{ direction: 'toService' as const, find, replace }], ...more }]
})

/** An instance of hook-rewrite beside others of it. */
export const rewriting = (name: string, find: string, replace: string, more: object = {}) => ({
  use: hookRewrite as never,
  name,
  options: swap(find, replace, more)
})
