import path from 'node:path'
import { stringify } from 'yaml'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { type Program, type Scratch, untilSays } from '../../bench/scratch.js'
import { residentBytes } from '../../bench/usage.js'

export const cli = path.resolve(import.meta.dirname, '../../../cli/bin/run.js')
/** Time for a process to start, on a busy machine. */
const START_MS = 60_000
const token = 'visitors-token-81b6f2c94d0e57'

type Entry = Readonly<Record<string, unknown>>

/** One way from clients to a server, and what both ends load besides the preset. */
export interface Plan {
  /** Names the files. */
  readonly name: string
  /** Further extensions: packages, or `{ use, options }`. */
  readonly extensions: readonly (string | Entry)[]
  /** Further fields of `server.listen`, `transport` above all. */
  readonly listen?: Entry
  /** Further fields of `client.connect`. */
  readonly connect?: Entry
  /** What only one end loads. */
  readonly serverOnly?: readonly Entry[]
  readonly clientOnly?: readonly Entry[]
}

/** A server that listens. */
export class Tunnel {
  readonly port: number
  readonly server: Program
  readonly #scratch: Scratch
  readonly #plan: Plan

  private constructor(plan: Plan, port: number, server: Program, scratch: Scratch) {
    this.#plan = plan
    this.port = port
    this.server = server
    this.#scratch = scratch
  }

  /** Runs `rystra serve` with a configuration of its own. */
  static async serve(scratch: Scratch, plan: Plan): Promise<Tunnel> {
    const port = await freePort()
    const file = scratch.write(
      `${plan.name}-server.yaml`,
      stringify({
        extensions: [
          { use: '@rystra/auth-token', options: { tokens: [{ identity: 'test', token: '${RYSTRA_TOKEN}' }] } },
          ...plan.extensions,
          ...(plan.serverOnly ?? [])
        ],
        server: {
          listen: [{ transport: 'tcp', host: loopback, port, ...plan.listen }],
          publish: { host: loopback, ports: ['1024-65535'] }
        }
      })
    )
    const server = rystra(scratch, 'serve', '--config', file)
    await untilSays(server, /listening/, START_MS)
    return new Tunnel(plan, port, server, scratch)
  }

  /** The same server for clients that dial otherwise: through a proxy in front. */
  through(connect: Entry): Tunnel {
    return new Tunnel(
      { ...this.#plan, connect: { ...this.#plan.connect, ...connect } },
      this.port,
      this.server,
      this.#scratch
    )
  }

  /**
   * Runs `rystra connect` with a configuration of its own, and waits until all of it is published or can be visited.
   * @param json Whether it tells of events for programs, or as for people.
   */
  async connect(
    name: string,
    client: { readonly proxies?: readonly Entry[]; readonly forwards?: readonly Entry[] },
    json = true
  ): Promise<Program> {
    const { extensions, connect, clientOnly = [] } = this.#plan
    const file = this.#scratch.write(
      `${this.#plan.name}-${name}.yaml`,
      stringify({
        extensions: [
          { use: '@rystra/auth-token', options: { token: '${RYSTRA_TOKEN}' } },
          ...clientHalf(extensions),
          ...clientOnly
        ],
        client: { id: name, connect: { transport: 'tcp', host: loopback, port: this.port, ...connect }, ...client }
      })
    )
    const program = rystra(this.#scratch, 'connect', '--config', file, ...(json ? ['--json'] : []))
    const entries = [...(client.proxies ?? []), ...(client.forwards ?? [])]
    if (!json) await untilSays(program, new RegExp(`(→[\\s\\S]*){${entries.length}}`))
    else
      for (const { name: entry } of entries)
        await untilSays(program, new RegExp(`"event":"(published|visiting)","name":"${entry}"`), START_MS)
    return program
  }

  /** Runs a command with the flags that lead to this server. */
  client(command: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
    const to = ['--to', `tcp://${loopback}:${this.port}`, '--json']
    return start(this.#scratch, [...command, ...to], env)
  }
}

/** Extensions of a client: options are the server's, in all kinds that are used here. */
const clientHalf = (extensions: Plan['extensions']): readonly unknown[] =>
  extensions.map((one) => (typeof one === 'string' ? one : one['use']))

const start = (scratch: Scratch, args: readonly string[], env: NodeJS.ProcessEnv = {}): Program =>
  scratch.start(process.execPath, [cli, ...args], {
    cwd: scratch.dir,
    env: { ...process.env, RYSTRA_TOKEN: token, RYSTRA_STATE: path.join(scratch.dir, 'state'), ...env }
  })

const rystra = (scratch: Scratch, ...args: string[]): Program => start(scratch, args)

/** `rystra cert:…`, as an administrator would. */
export const makeCertificates = async (scratch: Scratch, ...names: string[]): Promise<Certificates> => {
  const { dir } = scratch
  const out = `certs-${names[0]}`
  for (const args of [
    ['cert:ca', '--out', `${out}/ca`],
    ['cert:server', ...names, '--ca', `${out}/ca`, '--out', out]
  ]) {
    const program = rystra(scratch, ...args)
    await new Promise<void>((resolve, reject) => {
      program.child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(program.said()))))
    })
  }
  return {
    ca: path.join(dir, out, 'ca/ca.pem'),
    cert: path.join(dir, out, 'server.pem'),
    key: path.join(dir, out, 'server-key.pem')
  }
}

export interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Resident megabytes of programs now; what they had at most while `during` ran. */
export const resident = (programs: readonly Program[]): string =>
  programs.map(({ pid }) => `${Math.round(residentBytes([pid]) / 1e6)} MB`).join(' and ')

export const residentPeak = async (programs: readonly Program[], during: () => Promise<void>): Promise<string> => {
  const most = programs.map(() => 0)
  const timer = setInterval(() => {
    for (const [index, { pid }] of programs.entries()) most[index] = Math.max(most[index] ?? 0, residentBytes([pid]))
  }, 100)
  try {
    await during()
  } finally {
    clearInterval(timer)
  }
  return most.map((bytes) => `${Math.round(bytes / 1e6)} MB`).join(' and ')
}
