import { relative } from 'node:path'
import mocha, { type Hook, type Runner, type Test } from 'mocha'
import type { Message, TestMessage } from './message.js'

/** Sends to the process that started this one. */
export const send = (message: Message, sent = (): void => {}): void => {
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

/** Mocha reporter that sends each result to the parent process. */
export class ParentReporter {
  constructor(runner: Runner) {
    const report = (test: Test | Hook, state: TestMessage['state'], error?: TestError): void =>
      send({
        kind: 'test',
        file: relative(process.cwd(), test.file ?? test.parent?.file ?? ''),
        title: test.fullTitle(),
        state,
        duration: test.duration ?? 0,
        ...(error === undefined ? {} : { error: errorText(error) })
      })
    runner.on('pass', (test) => report(test, 'passed'))
    runner.on('pending', (test) => report(test, 'skipped'))
    runner.on('fail', (test, error: TestError) => report(test, 'failed', error))
  }
}
