import { clusterMemory, MemoryDirectory } from '@rystra/cluster-memory'
import { issuePeer, type KeyPair, makeAuthority } from '@rystra/certificates'
import type { RystraConfig } from '@rystra/config'
import type { DirectoryWatcher } from '@rystra/plugin'
import type { Server, ServerOptions } from '@rystra/server'
import transportTls from '@rystra/transport-tls'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { later, readAll, startServer, visit } from './tunnel.js'

type ServerPart = NonNullable<RystraConfig['server']>
type ClusterPart = NonNullable<ServerPart['cluster']>

/** One for all specs: to make keys takes longer than most of them. */
let authority: Promise<KeyPair> | undefined
const clusterAuthority = (): Promise<KeyPair> => {
  authority ??= makeAuthority({ commonName: 'cluster of the tests', keyType: 'ec' })
  return authority
}

/** What a visitor at an address is answered; nothing where there is no listener. */
export const askAt = async (host: string, port: number, text: string): Promise<string | undefined> => {
  try {
    const socket = await visit(port, host)
    const answer = readAll(socket)
    socket.end(text)
    return (await answer).toString()
  } catch {
    return undefined
  }
}

/** A directory, a folder of certificates, and servers that share them. */
export class ClusterWorld {
  readonly directory = new MemoryDirectory()
  readonly folder: string
  #servers = 0

  private constructor(folder: string) {
    this.folder = folder
  }

  static async open(): Promise<ClusterWorld> {
    const folder = await mkdtemp(path.join(tmpdir(), 'rystra-cluster-'))
    later(() => rm(folder, { recursive: true }))
    const world = new ClusterWorld(folder)
    await writeFile(world.file('ca.pem'), (await clusterAuthority()).cert)
    return world
  }

  /** What a member hears of the directory from now on waits until the function that is returned is called. To be called before it starts. */
  gate(name: string): { hold(): void; release(): void } {
    const open = this.directory.open.bind(this.directory)
    let held: (() => void)[] | undefined
    this.directory.open = (options) => {
      const session = open(options)
      if (options.name !== name) return session
      const watch = session.watch.bind(session)
      const pass = (hear: () => void): void => void (held === undefined ? hear() : held.push(hear))
      return Object.assign(session, {
        watch: ({ snapshot, change }: DirectoryWatcher) =>
          watch({ snapshot: (all) => pass(() => snapshot(all)), change: (one) => pass(() => change(one)) })
      })
    }
    return {
      hold: () => {
        held ??= []
      },
      release: () => {
        const all = held ?? []
        held = undefined
        for (const hear of all) hear()
      }
    }
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }

  /** Writes a certificate for a member. */
  async certify(name: string, by?: KeyPair, notBefore?: Date): Promise<void> {
    const { cert, key } = await issuePeer(by ?? (await clusterAuthority()), {
      commonName: name,
      names: [`${name}.rystra.internal`],
      keyType: 'ec',
      ...(notBefore === undefined ? {} : { notBefore, days: 1 })
    })
    await writeFile(this.file(`${name}.pem`), cert)
    await writeFile(this.file(`${name}-key.pem`), key)
  }

  member(name: string, fields: Partial<ClusterPart> = {}): ClusterPart {
    return {
      name,
      directory: 'memory',
      host: '127.0.0.1',
      port: 0,
      ca: this.file('ca.pem'),
      cert: this.file(`${name}.pem`),
      key: this.file(`${name}-key.pem`),
      ...fields
    }
  }

  /** A server that publishes on an address of its own, so that several can have one port. */
  async start(
    name: string,
    {
      cluster = {},
      server = {},
      extensions = [],
      options = {}
    }: {
      cluster?: Partial<ClusterPart>
      server?: Partial<ServerPart>
      extensions?: NonNullable<RystraConfig['extensions']>
      options?: Partial<ServerOptions>
    } = {}
  ): Promise<Server> {
    await this.certify(name)
    this.#servers += 1
    const host = `127.0.0.${this.#servers}`
    const { publish, ...rest } = server
    const config = { publish: { host, ...publish }, cluster: this.member(name, cluster), ...rest }
    return startServer(config, [clusterMemory(this.directory), transportTls, ...extensions], options)
  }
}
