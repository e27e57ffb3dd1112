import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type {
  AuthContext,
  Clock,
  HelloContext,
  LogMethod,
  Logger,
  OpenStreamContext,
  ProxySpec,
  SessionInfo,
  StreamInfo
} from '@rystra/plugin'
import {
  defineExtension,
  type ErrorCode,
  type ExtensionContext,
  isRystraError,
  type RystraError,
  Type
} from '@rystra/plugin'
import { expect } from 'chai'
import { Kernel, type KernelUse } from '../src/index.js'
import type { KernelOptions } from '../src/kernel-options.js'

/** Time that passes when it is told to. */
export class FakeClock implements Clock {
  #now = 1_000_000
  readonly #timers = new Set<{ at: number; fn: () => void }>()

  now(): number {
    return this.#now
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  get pending(): number {
    return this.#timers.size
  }

  pass(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at <= this.#now && this.#timers.delete(timer)) timer.fn()
    }
  }
}

export interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown>
}

/** Keeps what is logged. */
export const memoryLog = (lines: Line[] = [], bound: object = {}): Logger & { readonly lines: Line[] } => {
  const method =
    (level: string): LogMethod =>
    (first: string | object, second?: string) => {
      const fields = typeof first === 'string' ? {} : first
      lines.push({
        level,
        message: typeof first === 'string' ? first : (second ?? ''),
        fields: { ...bound, ...fields }
      })
    }
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    child: (fields) => memoryLog(lines, { ...bound, ...fields }),
    lines
  }
}

/** An extension of one set-up function. */
export const extension = (name: string, setup: (context: ExtensionContext<Record<string, unknown>>) => unknown) =>
  defineExtension({
    name,
    options: Type.Record(Type.String(), Type.Unknown()),
    setup: setup as () => undefined
  })

/** A kernel with a fake clock and a log, provisioned with these. */
export const provisioned = async (uses: readonly KernelUse[], options: Partial<KernelOptions> = {}) => {
  const clock = new FakeClock()
  const log = memoryLog()
  const kernel = new Kernel({ side: 'server', log, clock, ...options })
  await kernel.provision(uses)
  return { kernel, clock, log, calls: kernel.current.calls }
}

/** The coded error that something rejects with, or throws. */
export const failure = async (work: Promise<unknown> | (() => unknown), code: ErrorCode): Promise<RystraError> => {
  try {
    await (typeof work === 'function' ? work() : work)
  } catch (error) {
    if (!isRystraError(error)) throw error
    expect(error.code, error.message).equal(code)
    return error
  }
  throw new Error(`expected ${code}, and nothing was thrown`)
}

export const hello: HelloContext = {
  peer: { address: '192.0.2.1', port: 40_000 },
  client: { id: 'home', instance: 'i', agent: 'test/1' },
  transport: 'memory'
}

export const auth = (method = 'token'): AuthContext => ({
  ...hello,
  method,
  proof: new Uint8Array([1]),
  challenge: { transcript: new Uint8Array(32), clientId: 'home' }
})

export const session: SessionInfo = {
  id: 's1',
  identity: { id: 'home' },
  client: hello.client,
  peer: hello.peer,
  transport: 'memory',
  muxer: 'yamux',
  since: 0
}

export const spec: ProxySpec = { name: 'ssh', kind: 'tcp', port: 20_022 }

export const stream = (proxy: ProxySpec = spec): StreamInfo => ({
  id: '1',
  proxy,
  visitor: { host: '198.51.100.1', port: 5, to: { host: '203.0.113.1', port: 20_022 } },
  session,
  side: 'server'
})

export const opening = (proxy: ProxySpec = spec): OpenStreamContext => ({
  ...stream(proxy),
  through: () => {},
  carryTrace: () => {},
  pace: () => {}
})

/** Lets everything that is ready happen. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A folder with these files, taken away by the returned function. */
export const project = (files: Readonly<Record<string, string>>): { dir: string; remove: () => void } => {
  const dir = mkdtempSync(join(tmpdir(), 'rystra-kernel-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}
