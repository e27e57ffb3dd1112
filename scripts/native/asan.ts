/**
 * `npm run native:asan`: the native part under AddressSanitizer and UndefinedBehaviorSanitizer (its specs, those of what
 * uses it, a kernel that refuses, a fuzzer), and its fuzzer under valgrind. Needs gcc, valgrind; says what it skips.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { run } from '../steps.js'
import { compile, version } from './compile.js'

const SECONDS = process.env['RYSTRA_FUZZ_SECONDS'] ?? '10'
const MOCHA = ['node_modules/mocha/bin/mocha.js', '--timeout', '120000']
const SPECS = ['framework/native/test/*.spec.ts', 'framework/udp/test/*.spec.ts']
const FUZZ = ['fuzz', 'fuzz-links', 'fuzz-connections'].map((name) => `scripts/native/${name}.mjs`)

/** Node keeps its memory to the end of the process, so that leaks are valgrind's to find: by the frames of the addon. */
const ASAN_OPTIONS = 'detect_leaks=0:quarantine_size_mb=4:halt_on_error=1:abort_on_error=1:strict_string_checks=1'
const UBSAN_OPTIONS = 'halt_on_error=1:print_stacktrace=1'

let failed = 0
const step = async (name: string, command: [string, ...string[]], env: Record<string, string>): Promise<void> => {
  console.log(`\n▶ ${name}`)
  const code = await run(command, env)
  if (code !== 0) failed += 1
  console.log(`${code === 0 ? '✔' : '✖'} ${name}`)
}

const libraryOf = (name: string): string =>
  execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-native-'))
try {
  if (version('gcc') === undefined) throw new Error('gcc is not installed: apt-get install gcc')
  const checked = path.join(dir, 'checked.node')
  const shim = path.join(dir, 'shim.so')
  const options = ['-g', '-O1', '-fno-omit-frame-pointer', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
  compile('gcc', checked, options)
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', shim, 'scripts/native/shim.c', '-ldl'], { stdio: 'inherit' })
  const sanitizers = ['libasan.so', 'libubsan.so'].map(libraryOf)
  const env = (more: Record<string, string> = {}, preload: readonly string[] = []) => ({
    RYSTRA_NATIVE: checked,
    LD_PRELOAD: [...sanitizers, ...preload].join(':'),
    ASAN_OPTIONS,
    UBSAN_OPTIONS,
    ...more
  })
  await step('specs', [process.execPath, ...MOCHA, ...SPECS, 'extensions/proxy-udp/test/*.spec.ts'], env())
  // How much a process keeps is not to be measured under a sanitizer.
  const quic = ['extensions/transport-quic/test/*.spec.ts', '--grep', 'keeps little', '--invert']
  await step('specs of quic', [process.execPath, ...MOCHA, ...quic], env())
  const net = ['framework/net/test/connection-stream.spec.ts', 'test/e2e/{streams,attack-streams}.spec.ts']
  await step('specs of connections', [process.execPath, ...MOCHA, ...net], env())
  const yamux = ['extensions/mux-yamux/test/{joined,stream,flow}*.spec.ts', 'test/e2e/attack-yamux.spec.ts']
  await step('specs of yamux', [process.execPath, ...MOCHA, ...yamux], env())
  const tls = ['framework/tls/test/taken*.spec.ts', 'test/e2e/matrix.spec.ts', '--grep', 'taken over|tls with yamux']
  await step('specs of TLS', [process.execPath, ...MOCHA, ...tls], env())
  for (const SHIM of ['eio', 'eagain'])
    await step(`specs, ${SHIM} from the kernel`, [process.execPath, ...MOCHA, ...SPECS], env({ SHIM }, [shim]))
  for (const file of FUZZ)
    for (const seed of ['1', '2', '3'])
      await step(`${path.basename(file)}, seed ${seed}`, [process.execPath, file, seed, SECONDS], env())
  if (existsSync('/usr/bin/valgrind')) {
    const plain = path.join(dir, 'plain.node')
    compile('gcc', plain, ['-g', '-O1'])
    // Node itself is full of what valgrind reports: only errors with a frame of the addon count.
    const log = path.join(dir, 'valgrind.log')
    const valgrind = ['--error-limit=no', '--leak-check=full', '--num-callers=40', `--log-file=${log}`]
    for (const file of FUZZ) {
      const name = `${path.basename(file)} under valgrind`
      const node = [process.execPath, '--jitless', '--expose-gc', file, '4', SECONDS]
      await step(name, ['valgrind', ...valgrind, ...node], { RYSTRA_NATIVE: plain })
      const found = blocksOf(execFileSync('cat', [log], { encoding: 'utf8', maxBuffer: 1 << 28 }))
      for (const block of found) console.log(block)
      console.log(`${found.length === 0 ? '✔' : '✖'} valgrind: ${found.length} reports with a frame of the addon`)
      if (found.length > 0) failed += 1
    }
  } else console.log('\nskipped valgrind: not installed')
} finally {
  rmSync(dir, { recursive: true })
}
process.exitCode = failed === 0 ? 0 : 1

/** Reports that name the addon. What is still reachable at the end is no leak. */
function blocksOf(log: string): string[] {
  return log.split(/^==\d+== *$/m).filter((block) => block.includes('plain.node') && !block.includes('still reachable'))
}
