import { relative } from 'node:path'
import mocha, { type Hook, type Runner, type Test } from 'mocha'
import type { Message, TestMessage } from './message.js'

/** How long a process may take to end after its last test. Sockets and child processes that were closed need a few turns. */
const END_TIMEOUT_MS = 3000

/** Warnings of Node that tell of a fault: a rejection handled too late, and listeners that pile up. */
const FATAL_WARNINGS = new Set(['PromiseRejectionHandledWarning', 'MaxListenersExceededWarning'])

const send = (message: Message, sent = (): void => {}): void => {
  process.send?.(message, undefined, undefined, sent)
}

type TestError = Error & { readonly expected?: unknown; readonly actual?: unknown; readonly showDiff?: boolean }

const errorText = (error: TestError): string => {
  const text = error.stack ?? String(error)
  if (error.showDiff !== true) return text
  const [actual, expected] = [error.actual, error.expected].map((value) =>
    typeof value === 'string' ? value : (JSON.stringify(value, undefined, 2) ?? String(value))
  ) as [string, string]
  return `${text}\n${mocha.reporters.Base.generateDiff(actual, expected)}`
}

/** What keeps the process alive: sockets with their addresses, child processes with their command, timers. */
const openHandles = (): string[] => {
  const { _getActiveHandles: active } = process as unknown as { _getActiveHandles(): Record<string, unknown>[] }
  const own: unknown[] = [process.stdin, process.stdout, process.stderr, process.channel]
  const handles = active
    .call(process)
    .filter((handle) => !own.includes(handle))
    .map((handle) => {
      const { localPort, remotePort, spawnargs } = handle as Record<string, unknown>
      const ports = localPort === undefined ? '' : ` ${localPort} to ${remotePort}`
      return `${handle.constructor.name}${ports}${Array.isArray(spawnargs) ? ` ${spawnargs.join(' ')}` : ''}`
    })
  return [...handles, ...process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate')]
}

/**
 * Mocha reporter that sends each result to the parent process. A process that does not end after its last test has left something
 * open: it is stopped, and the parent counts that as a failure. Mocha would wait without end, or hide it with `--exit`.
 */
export default class ParentReporter {
  constructor(runner: Runner) {
    const begin = performance.now()
    const report = (test: Test | Hook, state: TestMessage['state'], error?: TestError): void =>
      send({
        kind: 'test',
        file: relative(process.cwd(), test.file ?? test.parent?.file ?? ''),
        title: test.fullTitle(),
        state,
        duration: test.duration ?? 0,
        at: performance.now() - begin,
        ...(error === undefined ? {} : { error: errorText(error) })
      })
    runner.on('pass', (test) => report(test, 'passed'))
    runner.on('pending', (test) => report(test, 'skipped'))
    runner.on('fail', (test, error: TestError) => report(test, 'failed', error))
    runner.once('end', () => {
      setTimeout(() => {
        send({ kind: 'problem', text: `left open after the last test: ${openHandles().join(', ')}` }, () =>
          process.exit(1)
        )
      }, END_TIMEOUT_MS).unref()
    })
    process.on('warning', ({ name, message, stack }) => {
      if (FATAL_WARNINGS.has(name)) send({ kind: 'problem', text: `${name}: ${stack ?? message}` })
    })
  }
}
