import { defineExtension } from '@rystra/plugin'
import { expect } from 'chai'
import { createPair } from '../src/index.js'

// with a real server and client: test/e2e/pair.spec.ts
const extension = defineExtension({ name: 'under-test', setup: () => {} })

class End {
  readonly listening = [{ port: 49_160 }]
  constructor(
    readonly name: string,
    readonly log: string[],
    readonly fails: boolean
  ) {}

  async start(): Promise<void> {
    this.log.push(`${this.name} starts`)
    if (this.fails) throw new Error(`${this.name} cannot start`)
  }

  async reload(config: { server?: unknown; client?: unknown }): Promise<void> {
    this.log.push(`${this.name} reloads ${JSON.stringify(config.server ?? config.client)}`)
  }

  async stop({ drain = -1 } = {}): Promise<void> {
    this.log.push(`${this.name} stops in ${drain} ms`)
  }
}

const parts = (fails = '') => {
  const log: string[] = []
  const configs: Record<string, Record<string, unknown>> = {}
  const make = (name: string) => async (config: Record<string, unknown>) => {
    configs[name] = config
    return new End(name, log, name === fails)
  }
  return {
    log,
    configs,
    config: { createServer: make('server'), createClient: make('client'), extensions: [extension] }
  }
}

describe('createPair', () => {
  it('starts the server, then a client that dials it, with a proxy for each service', async () => {
    const { log, configs, config } = parts()
    const pair = await createPair({ ...config, services: { echo: () => {} }, connect: { muxer: 'simple' } })
    expect(log).to.deep.equal(['server starts', 'client starts'])
    expect(configs.server?.server).to.deep.equal({ listen: [{ transport: 'memory', host: '127.0.0.1', port: 0 }] })
    expect(configs.client?.client).to.deep.equal({
      connect: { transport: 'memory', host: '127.0.0.1', port: 49_160, muxer: 'simple' },
      proxies: [{ name: 'echo', kind: 'memory', local: 'echo' }]
    })
    expect(configs.client?.extensions).to.include(extension).and.to.deep.equal(configs.server?.extensions)
    await pair.stop(7)
    expect(log.slice(2)).to.deep.equal(['client stops in 7 ms', 'server stops in 7 ms'])
  })

  for (const fails of ['server', 'client']) {
    it(`stops what it has when the ${fails} cannot start`, async () => {
      const { log, config } = parts(fails)
      const error = await createPair(config).catch((thrown: Error) => thrown)
      expect(error).to.have.property('message', `${fails} cannot start`)
      const stopped = log.filter((line) => line.includes('stops'))
      expect(stopped).to.deep.equal(['client stops in 0 ms', 'server stops in 0 ms'].slice(fails === 'server' ? 1 : 0))
    })
  }
})
