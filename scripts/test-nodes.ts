/**
 * `npm run test:nodes`: the tests on each supported major version of Node, one after the other. The binaries come from npm, into a
 * folder of their own. Arguments are those of `npm test`; RYSTRA_TEST_NODES names the versions, "22 24" for example.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { run, runAll } from './steps.js'

const versions = (process.env['RYSTRA_TEST_NODES'] ?? '20 22 24').split(/[ ,]+/)
/** The package that `node` of npm installs for this machine. */
const packageName = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`

/** Path of a node of this version, installed when it is not there yet. */
const install = async (version: string): Promise<string> => {
  const dir = resolve('node_modules/.cache/rystra/nodes', version)
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{ "private": true }')
  const code = await run(['npm', 'install', '--prefix', dir, '--no-save', `${packageName}@${version}`])
  if (code !== 0) throw new Error(`node ${version} could not be installed from the package ${packageName}`)
  return join(dir, 'node_modules', packageName, 'bin', 'node')
}

const steps: Parameters<typeof runAll>[0][number][] = []
for (const version of versions) {
  const node = await install(version)
  steps.push({
    name: `Node ${version}`,
    command: [node, '--import=tsx', 'scripts/test.ts', ...process.argv.slice(2)],
    env: { PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` }
  })
}
process.exitCode = (await runAll(steps)) === 0 ? 0 : 1
