import type { Client } from '@rystra/client'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import { defineExtension, type Extension, type Logger, type RuntimeEvent, type RystraError } from '@rystra/plugin'
import { createServer, type Server } from '@rystra/server'
import { auditFile } from './audit-world.js'
import {
  type Carrier,
  type CertificateFiles,
  certificateFiles,
  connectTo,
  listenOn,
  type Uses,
  usesOf
} from './end-carriers.js'
import { clientConfig, later, makeClient, portOf, preset, serverConfig } from './tunnel.js'

/** What one end says of what ends, wherever it says it. */
export class Journal {
  /** Codes of sessions that are over, by the interface that reports them; `clean` where there is no error. */
  readonly sessions: Record<'hook' | 'event' | 'runtime', string[]> = { hook: [], event: [], runtime: [] }
  /** Name and reason of each proxy that is gone. */
  readonly proxies: string[] = []
  /** Reason of each stream that is over. */
  readonly streams: string[] = []
  /** Lines of the log that tell of trouble, with the code of their error. */
  readonly trouble: string[] = []
  readonly log: Logger
  readonly extension: ReturnType<Extension>

  constructor() {
    const say =
      (level: string) =>
      (fields: object | string, message = ''): void => {
        const { err } = (typeof fields === 'string' ? {} : fields) as { err?: RystraError }
        const isLoss = err !== undefined && LOSSES.has(err.code)
        if (isLoss || level === 'error') this.trouble.push(`${level} ${message || String(fields)}: ${err?.code ?? ''}`)
      }
    const silent = (): void => {}
    this.log = {
      trace: silent,
      debug: silent,
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
      child: () => this.log
    }
    this.extension = defineExtension({
      name: 'journal',
      setup: ({ hooks }) => {
        hooks.onDisconnect.tap(({ error }) => void this.sessions.hook.push(error?.code ?? 'clean'))
        hooks.onUnregisterProxy.tap(({ reason }) => void this.proxies.push(reason))
        hooks.onCloseStream.tap(({ reason }) => void this.streams.push(reason))
      }
    })()
  }

  follow(end: Server | Client): void {
    const heard = (_session: unknown, error?: RystraError): void =>
      void this.sessions.event.push(error?.code ?? 'clean')
    end.on('disconnected' as never, heard as never)
    end.runtime.events.subscribe((event: RuntimeEvent) => {
      if (event.type === 'session.closed') this.sessions.runtime.push(event.error?.code ?? 'clean')
    })
  }

  /** What each of them said first. */
  get first(): Record<keyof Journal['sessions'], string | undefined> {
    const { hook, event, runtime } = this.sessions
    return { hook: hook[0], event: event[0], runtime: runtime[0] }
  }

  /** Whether each of them has reported of the end of a session. */
  get reported(): boolean {
    return Object.values(this.sessions).every((codes) => codes.length > 0)
  }
}

/** Codes that tell of a loss. */
export const LOSSES: ReadonlySet<string> = new Set([
  'session.lost',
  'session.timeout',
  'mux.closed',
  'mux.protocol',
  'stream.reset',
  'protocol.invalid',
  'internal'
])

/** A server and a client over one {@link Carrier}, with what each of them says. */
export class EndWorld {
  readonly here = new Journal()
  readonly there = new Journal()
  readonly audit = auditFile()
  readonly carrier: Carrier
  readonly #files: CertificateFiles
  server!: Server
  client!: Client

  private constructor(carrier: Carrier, made: CertificateFiles) {
    this.carrier = carrier
    this.#files = made
  }

  static async open(carrier: Carrier): Promise<EndWorld> {
    const world = new EndWorld(carrier, await certificateFiles())
    const config = world.serverConfig()
    world.server = await createServer(config, { preset, log: world.there.log })
    later(() => world.server.stop({ drain: 0 }))
    await world.server.start()
    world.there.follow(world.server)
    return world
  }

  serverConfig(server: object = {}, own: Uses = []): RystraConfig {
    const all = { listen: [listenOn(this.carrier, this.#files)], drain: 200, ...server }
    const journal = this.there.extension as never
    return serverConfig(all as never, [this.audit.audit, journal, ...usesOf(this.carrier), ...own])
  }

  get connect(): object {
    return connectTo(this.carrier, portOf(this.server), this.#files)
  }

  async make(proxies: readonly ProxyEntry[], journal = this.here): Promise<Client> {
    const client = await makeClient(
      0,
      proxies,
      { connect: this.connect, drain: 200 } as never,
      [journal.extension as never, ...usesOf(this.carrier)],
      { log: journal.log }
    )
    journal.follow(client)
    return client
  }

  async join(...args: Parameters<EndWorld['make']>): Promise<Client> {
    const client = await this.make(...args)
    await client.start()
    return client
  }

  clientConfig(proxies: readonly ProxyEntry[], client: object = {}): RystraConfig {
    return clientConfig(0, proxies, { connect: this.connect, drain: 200, ...client } as never, [
      this.here.extension as never,
      ...usesOf(this.carrier)
    ])
  }
}
