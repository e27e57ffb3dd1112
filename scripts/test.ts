/** `npm test`: every test of every package, then those of the whole. Arguments go to mocha: `npm test -- --grep yamux`. */
import { existsSync } from 'node:fs'
import { run } from './steps.js'

const specs = [
  'framework/*/test/**/*.spec.ts',
  'extensions/*/test/**/*.spec.ts',
  ...['cli/test', 'examples', 'test'].filter((name) => existsSync(name)).map((name) => `${name}/**/*.spec.ts`)
]

// `npm test` has built everything: processes that tests start need not compile it again.
process.env['RYSTRA_TEST_BUILT'] ??= '1'

process.exitCode = await run([
  'mocha',
  '--reporter=dot',
  '--forbid-only',
  '--require=./scripts/leaks.ts',
  '--ignore=**/node_modules/**',
  '--ignore=**/dist/**',
  ...process.argv.slice(2),
  ...specs
])
