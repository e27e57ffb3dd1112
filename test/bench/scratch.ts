import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const grace = 2000
const kept = 4000

/** A child process, and the end of what it said. */
export interface Program {
  readonly pid: number
  readonly child: ChildProcess
  /** What it printed last, on both channels. */
  said(): string
}

/** Everything a bench leaves behind unless it is cleaned up: one temporary folder and the processes it started. */
export class Scratch {
  readonly dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-bench-'))
  readonly #children = new Set<ChildProcess>()

  /** Writes a file into the folder; the answer is its path. */
  write(name: string, text: string, mode = 0o600): string {
    const file = path.join(this.dir, name)
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }

  /** Starts a program. It is ended with the scratch at the latest. */
  start(file: string, args: readonly string[], options: SpawnOptions = {}): Program {
    return this.adopt(spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options }), file)
  }

  /** Takes over a process that was started elsewhere, a forked one for example. */
  adopt(child: ChildProcess, name: string): Program {
    let tail = ''
    const listen = (chunk: Buffer): void => {
      tail = (tail + chunk.toString()).slice(-kept)
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('error', (error) => {
      tail += error.message
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    if (child.pid === undefined) throw new Error(`${name} could not be started`)
    return { pid: child.pid, child, said: () => tail.trim() }
  }

  /** Asks a process to end, and makes it when it does not. */
  async end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), grace)
    await gone
    clearTimeout(timer)
  }

  /** Ends all processes and removes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.end(child)))
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** For the last moment of our own process, when nothing can be awaited any more. */
  abandon(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Waits until a program has said what matches. Throws with what it said when it ends, or does not in time. */
export const untilSays = (program: Program, pattern: RegExp, timeout = 60_000): Promise<RegExpExecArray> =>
  new Promise((resolve, reject) => {
    const search = (): void => {
      const match = pattern.exec(program.said())
      if (match !== null) done(() => resolve(match))
    }
    const gone = (): void => done(() => reject(new Error(`it ended: ${program.said()}`)))
    const late = setTimeout(() => done(() => reject(new Error(`it never said ${pattern}: ${program.said()}`))), timeout)
    const done = (then: () => void): void => {
      clearTimeout(late)
      program.child.stdout?.off('data', search)
      program.child.stderr?.off('data', search)
      program.child.off('exit', gone)
      then()
    }
    program.child.stdout?.on('data', search)
    program.child.stderr?.on('data', search)
    program.child.once('exit', gone)
    search()
  })
