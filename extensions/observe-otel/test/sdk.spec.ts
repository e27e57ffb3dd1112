import type { Logger } from '@rystra/plugin'
import { expect } from 'chai'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startSdk } from '../src/sdk.js'

const exporting = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }

/** What the SDK in a project was asked for. */
const calls: string[] = []
Object.assign(globalThis, { rystraOtelCalls: calls })

describe('the SDK that the environment asks for', () => {
  const folders: string[] = []
  const lines: { readonly level: string; readonly message: string }[] = []
  const line =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push({ level, message })
  const log = { info: line('info'), warn: line('warn') } as unknown as Logger

  /** A project with an SDK, or without one. */
  const project = (sdk?: string): string => {
    const dir = realpathSync(mkdtempSync(path.join(tmpdir(), 'rystra-otel-')))
    folders.push(dir)
    if (sdk === undefined) return dir
    const folder = path.join(dir, 'node_modules/@opentelemetry/sdk-node')
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      path.join(folder, 'package.json'),
      '{ "name": "@opentelemetry/sdk-node", "type": "module", "main": "x.js" }'
    )
    writeFileSync(path.join(folder, 'x.js'), sdk)
    return dir
  }
  const sdk = (shutdown = ''): string => `export class NodeSDK {
    constructor() { globalThis.rystraOtelCalls.push('made') }
    start() { globalThis.rystraOtelCalls.push('started') }
    async shutdown() { globalThis.rystraOtelCalls.push('shut down'); ${shutdown} }
  }`

  afterEach(() => {
    calls.length = 0
    lines.length = 0
    for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true })
  })

  it('is started once for both ends of a process, and shut down with the last', async () => {
    const dir = project(sdk())
    const stops = [await startSdk(dir, log, exporting), await startSdk(dir, log, { OTEL_METRICS_EXPORTER: 'otlp' })]
    expect(calls).deep.equal(['made', 'started'])
    await stops[0]?.()
    expect(calls).length(2)
    await stops[1]?.()
    expect(calls).deep.equal(['made', 'started', 'shut down'])
    await (await startSdk(dir, log, exporting))()
    expect(calls).length(6)
  })

  it('is not loaded where no exporter is named, or where it is disabled', async () => {
    const dir = project(sdk())
    for (const env of [
      {},
      { OTEL_SERVICE_NAME: 'tunnel' },
      { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: '' },
      { ...exporting, OTEL_SDK_DISABLED: 'true' }
    ])
      await (await startSdk(dir, log, env))()
    expect(calls).deep.equal([])
    expect(lines).deep.equal([])
  })

  it('that is not installed is said, and nothing else depends on it', async () => {
    await (await startSdk(project(), log, exporting))()
    expect(lines.map(({ level }) => level)).deep.equal(['info'])
    expect(lines[0]?.message).include('@opentelemetry/sdk-node is not installed')
  })

  it('that does not shut down is logged', async () => {
    const dir = project(sdk(`throw new Error('no')`))
    await (await startSdk(dir, log, exporting))()
    expect(lines).deep.equal([{ level: 'warn', message: 'the SDK of OpenTelemetry did not shut down' }])
  })
})
