import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package. */
export const folder = fileURLToPath(new URL('../../framework/native/', import.meta.url))

/** The compiler of each processor. */
export const compilers: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu-gcc',
  arm64: 'aarch64-linux-gnu-gcc'
}

/** Headers of the Node that runs this. */
const headers = path.join(path.dirname(process.execPath), '../include/node')

/** What every build has. */
const STRICT = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wno-sign-conversion', '-Werror']

/**
 * No C library is named: the process has one, glibc or musl, and all symbols come from there. Nothing of the machine is
 * in the file: no build id, no paths, no name of the compiler.
 */
const RELEASE = [
  ...['-O2', '-fno-ident', '-U_FORTIFY_SOURCE', '-fstack-protector-strong', '-nostdlib', '-s'],
  ...['-Wl,--build-id=none', '-Wl,-z,relro,-z,now,-z,noexecstack', '-Wl,--hash-style=gnu']
]

/** First line of `--version`; `undefined` where the compiler is not installed. */
export const version = (compiler: string): string | undefined => {
  try {
    return execFileSync(compiler, ['--version'], { encoding: 'utf8' }).split('\n')[0]
  } catch {
    return undefined
  }
}

/** Compiles the addon. Throws with what the compiler says. */
export const compile = (compiler: string, file: string, options: readonly string[] = RELEASE): void => {
  if (!existsSync(path.join(headers, 'node_api.h')))
    throw new Error(`${headers} has no headers of Node: use a Node from nodejs.org`)
  const sources = readdirSync(path.join(folder, 'c'))
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => `c/${name}`)
  const shared = ['-shared', '-fPIC', '-fvisibility=hidden', `-I${headers}`, '-o', file]
  execFileSync(compiler, [...STRICT, ...options, ...shared, ...sources], { cwd: folder, stdio: 'inherit' })
  chmodSync(file, 0o644)
}
