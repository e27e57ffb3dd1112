import {
  type Announcement,
  announcementProblem,
  type Discovery,
  type FoundServer,
  isDiscoveryName,
  RystraError
} from '@rystra/plugin'
import { EventEmitter, on } from 'node:events'
import { discoveryKit, type DiscoverySubject } from '../../src/index.js'
import { killsMutants, type Mutant } from './mutant.js'

/** Both ends in one process: no more than right. */
class SimpleDiscovery implements Discovery {
  readonly name = 'simple'
  protected readonly servers = new Set<FoundServer>()
  protected readonly changed = new EventEmitter().setMaxListeners(0)

  protected check(announcement: Announcement): void {
    const detail = announcementProblem(announcement)
    if (detail !== undefined) throw new RystraError('discovery.invalid', { detail })
  }

  protected remove(server: FoundServer): void {
    this.servers.delete(server)
  }

  protected known(name: string): FoundServer[] {
    return [...this.servers].filter((server) => server.name === name)
  }

  async announce(announcement: Announcement, signal: AbortSignal): Promise<void> {
    this.check(announcement)
    if (signal.aborted) return
    const server = { ...announcement, host: '127.0.0.1' }
    this.servers.add(server)
    signal.addEventListener('abort', () => this.remove(server))
    this.changed.emit('server', server)
  }

  async *find(name: string, signal: AbortSignal): AsyncGenerator<FoundServer> {
    if (!isDiscoveryName(name)) throw new RystraError('discovery.invalid', { detail: 'name' })
    try {
      const changes = on(this.changed, 'server', { signal })
      yield* this.known(name)
      for await (const [server] of changes) if (server.name === name) yield server
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

type Class = new () => Discovery

const subject = (Used: Class) => (): DiscoverySubject => {
  const discovery = new Used()
  return { server: () => discovery, client: () => discovery }
}

const broken = (Used: Class, because: RegExp): Mutant<DiscoverySubject> => ({ because, subject: subject(Used) })

/** What is announced is changed on its way. */
const changed = (change: (server: FoundServer) => FoundServer): Class =>
  class extends SimpleDiscovery {
    override async *find(name: string, signal: AbortSignal) {
      for await (const server of super.find(name, signal)) yield change(server)
    }
  }

class Forgetful extends SimpleDiscovery {
  #found = false
  override async *find(name: string, signal: AbortSignal) {
    if (this.#found) signal = AbortSignal.abort()
    this.#found = true
    yield* super.find(name, signal)
  }
}

killsMutants('discovery', discoveryKit, [subject(SimpleDiscovery)], {
  'finds what is announced, as it was announced': broken(
    changed((server) => ({ ...server, port: server.port + 1 })),
    /the announcement/
  ),
  'finds one without a fingerprint': broken(
    changed((server) => ({ fingerprint: 'undefined', ...server })),
    /the fingerprint of none/
  ),
  'finds all servers of a name': broken(
    class extends SimpleDiscovery {
      protected override known(name: string) {
        return super.known(name).slice(0, 1)
      }
    },
    /waiting for 3 servers/
  ),
  'finds no server of another name': broken(
    class extends SimpleDiscovery {
      protected override known(name: string) {
        return [...this.servers].filter((server) => server.name.toLowerCase() === name.toLowerCase())
      }
    },
    /servers of other names/
  ),
  'finds what is announced while it looks': broken(
    class extends SimpleDiscovery {
      override async *find(name: string, signal: AbortSignal) {
        yield* this.known(name)
        if (signal.aborted) yield* super.find(name, signal)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      }
    },
    /waiting for/
  ),
  'gives each server once': broken(
    class extends SimpleDiscovery {
      protected override known(name: string) {
        return [...super.known(name), ...super.known(name)]
      }
    },
    /2 times the same server/
  ),
  'does not find what is no longer announced': broken(
    class extends SimpleDiscovery {
      protected override remove() {}
    },
    /servers that are gone/
  ),
  'does not announce when it is too late': broken(
    class extends SimpleDiscovery {
      override async announce(announcement: Announcement, signal: AbortSignal) {
        await super.announce(announcement, signal.aborted ? new AbortController().signal : signal)
      }
    },
    /servers that are gone/
  ),
  'ends to look when it is told to': broken(
    class extends SimpleDiscovery {
      override async *find(name: string) {
        yield* super.find(name, new AbortController().signal)
      }
    },
    /waiting for the end of find/
  ),
  'can be left early, and looks again': broken(Forgetful, /0 !== 1/),
  'answers many that look at once': broken(Forgetful, /one of many/),
  'takes names of all kinds': broken(
    class extends SimpleDiscovery {
      protected override known(name: string) {
        return super.known(name.split('.')[0] as string)
      }
    },
    /waiting for 1 servers of the name ü/
  ),
  'refuses what cannot be announced, or looked for': broken(
    class extends SimpleDiscovery {
      protected override check({ port }: Announcement) {
        if (port === 0) throw new RystraError('discovery.invalid')
      }
    },
    /was taken/
  )
})
