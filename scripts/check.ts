/** `npm run check`: everything that can be said of the code without running it. */
import { existsSync } from 'node:fs'
import { runAll } from './steps.js'

const folders = ['framework', 'extensions', 'cli', 'examples', 'test', 'scripts'].filter((name) => existsSync(name))

const failed = await runAll([
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '--max-diagnostics=50', '.'] },
  { name: 'promises', command: ['eslint', '.'] },
  { name: 'dependencies', command: ['depcruise', '--config', '.dependency-cruiser.cjs', ...folders] },
  { name: 'words', command: ['node', '--import=tsx', 'scripts/words.ts'] },
  { name: 'build', command: ['node', '--import=tsx', 'scripts/build.ts'] },
  { name: 'types of tests, examples and scripts', command: ['tsc', '-p', 'tsconfig.test.json'] },
  {
    name: 'generated docs',
    command: ['node', '--conditions=rystra-source', '--import=tsx', 'scripts/docs.ts', '--check']
  }
])

process.exitCode = failed === 0 ? 0 : 1
