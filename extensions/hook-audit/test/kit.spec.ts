import { extensionKit } from '@rystra/testkit'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import hookAudit from '../src/index.js'

const dir = mkdtempSync(join(tmpdir(), 'rystra-audit-'))
after(() => rmSync(dir, { recursive: true }))

const file = join(dir, 'audit.ndjson')

extensionKit(
  {
    use: hookAudit({ to: { file, maxSize: '1MB', every: 'day', keep: 2, compress: true } }),
    failing: hookAudit({ to: { file: '/dev/null/audit.ndjson' } as never }),
    invalid: {
      'a field that is a secret': { fields: ['port', 'basicAuth'] },
      'another field that is a secret': { fields: ['secretKey'] },
      'a kind of record that is not valid': { records: ['bytes'] },
      'no records at all': { records: [] },
      'a size without a unit': { to: { file, maxSize: '100' } },
      'a place that is not valid': { to: 'stderr' },
      'a queue of nothing': { queue: '0MB' },
      'a file without a name': { to: { file: '' } }
    }
  },
  { title: 'hook-audit as an extension' }
)
