import { RystraError } from '@rystra/model'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Settings of an outer npm that this one is to have as well: where packages come from. Whatever else `npx` or `npm run`
 * put into the environment is about the outer command, its workspace or `--global`, and would break this one.
 */
const kept =
  /^npm_config_(registry|cache|userconfig|globalconfig|proxy|https_proxy|noproxy|ca|cafile|cert|key|strict_ssl|offline|prefer_offline|fetch_.*|maxsockets|before|min_release_age|(@[^:]+:)?registry|\/\/.*)$/i

/** The environment for npm. */
export const npmEnvironment = (env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => (!/^npm_/i.test(name) || kept.test(name)) && name !== 'INIT_CWD' && name !== 'NODE_OPTIONS'
    )
  )

/** The npm that started this process, the one that belongs to this Node, or whatever the PATH has. */
const findNpm = (env: NodeJS.ProcessEnv = process.env): readonly [command: string, ...args: string[]] => {
  const outer = env['npm_execpath']?.replace(/npx-cli\.js$/, 'npm-cli.js')
  const bin = dirname(process.execPath)
  const candidates = [
    ...(outer?.endsWith('npm-cli.js') === true ? [outer] : []),
    join(bin, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(bin, 'node_modules', 'npm', 'bin', 'npm-cli.js')
  ]
  const script = candidates.find((path) => existsSync(path))
  return script === undefined ? ['npm'] : [process.execPath, script]
}

/** What a run of npm is given. */
export interface NpmOptions {
  /** The folder whose package.json it changes; folders above are not looked at. */
  readonly dir: string
  readonly signal?: AbortSignal | undefined
  /** Runs install scripts of packages. @default false */
  readonly scripts?: boolean
}

/** What is kept of the output, for an error. */
const outputLimit = 64 * 1024
/** Between asking npm to stop and killing it. */
const KILL_TIMEOUT_MS = 5000

/** Runs npm and returns what it wrote to stdout. Rejects with `extension.add-failed`, with npm's own words. */
export type Npm = (args: readonly string[], options: NpmOptions) => Promise<string>

/** The npm of this machine. */
export const npm: Npm = (args, { dir, signal, scripts = false }) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const [command, ...first] = findNpm()
    const flags = ['--no-audit', '--no-fund', '--no-progress', '--no-update-notifier', '--loglevel=error']
    const child = spawn(
      command,
      [...first, ...args, '--prefix', dir, ...flags, ...(scripts ? [] : ['--ignore-scripts'])],
      // A group of its own: Ctrl-C on the terminal reaches us alone, and we stop npm cleanly.
      { cwd: dir, env: npmEnvironment(), stdio: ['ignore', 'pipe', 'pipe'], detached: process.platform !== 'win32' }
    )
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out = (out + String(chunk)).slice(-outputLimit * 16)
    })
    child.stderr.on('data', (chunk) => {
      err = (err + String(chunk)).slice(-outputLimit)
    })
    const kill = (name: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(process.platform === 'win32' ? child.pid : -child.pid, name)
      } catch {
        // It is gone already.
      }
    }
    let last: NodeJS.Timeout | undefined
    const stop = (): void => {
      kill('SIGTERM')
      last = setTimeout(() => kill('SIGKILL'), KILL_TIMEOUT_MS)
    }
    signal?.addEventListener('abort', stop, { once: true })
    const done = (): void => {
      clearTimeout(last)
      signal?.removeEventListener('abort', stop)
    }
    child.once('error', (cause) => {
      done()
      reject(new RystraError('extension.add-failed', { detail: 'npm cannot be run', cause, hint: 'install npm' }))
    })
    child.once('close', (code) => {
      done()
      if (signal?.aborted === true) reject(signal.reason)
      else if (code === 0) resolve(out)
      else reject(npmError(args, code, `${err}\n${out}`))
    })
  })

const npmError = (args: readonly string[], code: number | null, output: string): RystraError => {
  const lines = output
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
    .filter((line) => line !== '' && !/^A complete log of this run|^code E|_logs/.test(line))
  const detail = `npm ${args[0] ?? ''} failed (exit code ${code ?? 'none'}): ${lines.slice(0, 6).join('; ') || 'it did not say why'}`
  return new RystraError('extension.add-failed', { detail, hint: 'see what npm says' })
}
