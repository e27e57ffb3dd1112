import { execFile, type ExecFileException } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cleanEnv, type Outcome } from '../command.js'

/** The folder with everything. */
export const checkout = fileURLToPath(new URL('../../..', import.meta.url))

/** Runs a program to its end, within two minutes. */
export const run = (
  file: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {}
): Promise<Outcome> =>
  new Promise((resolve) => {
    const options = { cwd, env: cleanEnv(env), timeout: 120_000, maxBuffer: 1e8 }
    execFile(file, args, options, (error, out, err) => {
      const { code } = (error ?? { code: 0 }) as ExecFileException
      resolve({ code: typeof code === 'number' ? code : null, out, err })
    })
  })

/** Runs it, and fails with what it said unless it exits 0. */
export const must = async (
  file: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {}
): Promise<string> => {
  const { code, out, err } = await run(file, args, cwd, env)
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} exited with ${code}\n${out}\n${err}`)
  return out
}

/** Brings the build up to date, as `npm run build` does: packages are packed as they are built. `npm test` has done it already. */
export const build = async (): Promise<void> => {
  if (process.env['RYSTRA_TEST_BUILT'] === '1') return
  await must(process.execPath, ['--import=tsx', 'scripts/build.ts'], checkout)
}

/** Folders of the packages that are published. */
export const published = (): string[] =>
  ['framework', 'extensions']
    .flatMap((kind) => readdirSync(join(checkout, kind)).map((name) => join(checkout, kind, name)))
    .concat(join(checkout, 'cli'))
    .filter((dir) => {
      try {
        return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).private !== true
      } catch {
        return false
      }
    })
