import { isErrorCode, RystraError } from '@rystra/model'
import { fork } from 'node:child_process'
import path from 'node:path'
import { packageRoot } from '../package-root.js'
import type { ReportedError } from '../report.js'
import type { ProbeAnswer, ProbeReport, ProbeRequest } from './child.js'

export type { ProbeReport, ProbeRequest } from './child.js'

/** Milliseconds to load and set up everything; an extension that takes longer does more than that. */
const probeTimeout = 30_000

const bootstrap = path.join(packageRoot, 'bin/probe.js')

const failed = (detail: string): RystraError => new RystraError('extension.load-failed', { detail })

const errorOf = ({ code, message, detail, hint, side, problems }: ReportedError): RystraError => {
  const error = isErrorCode(code)
    ? new RystraError(code, {
        hint,
        ...(detail === undefined ? {} : { detail }),
        ...(side === undefined ? {} : { side })
      })
    : failed(message)
  return problems === undefined ? error : Object.assign(error, { problems })
}

/**
 * Loads and sets up a configuration in a process of its own, with a time limit, so that code which hangs, exits or
 * breaks what is global has no effect here. Rejects with what went wrong there.
 */
export const probe = (request: ProbeRequest, signal?: AbortSignal, timeout = probeTimeout): Promise<ProbeReport> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const child = fork(bootstrap, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: process.platform !== 'win32' })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        said = (said + String(chunk)).slice(-2000)
      })
    }
    const timer = setTimeout(() => end(failed(`not loaded and set up within ${timeout} ms`)), timeout)
    const abort = (): void => end(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    const end = (outcome: Error | ProbeReport): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      child.removeAllListeners()
      child.on('error', () => {})
      child.kill('SIGKILL')
      if (outcome instanceof Error) reject(outcome)
      else resolve(outcome)
    }
    child.on('error', (cause) => end(failed(cause.message)))
    child.on('exit', (code, killed) => {
      const last = said.trim().split('\n').at(-1) ?? ''
      end(failed(`it ended the process (${killed ?? `exit code ${code}`})${last === '' ? '' : `: ${last}`}`))
    })
    child.on('message', (message) => {
      if (message === 'ready') child.send(request)
      else if (typeof message === 'object' && message !== null && 'report' in message)
        end((message as { report: ProbeReport }).report)
      else if (typeof message === 'object' && message !== null && 'error' in message) {
        end(errorOf((message as Extract<ProbeAnswer, { error: unknown }>).error))
      } else end(failed('it sent something else than an answer'))
    })
  })
