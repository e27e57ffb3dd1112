import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Scratch } from '../scratch.js'
import { Remote } from './remote.js'

const loader = ['--conditions=rystra-source', '--import=tsx']

/** The processes that make the load, each started when it is asked for first. */
export class Load {
  readonly #scratch: Scratch
  readonly #workers = new Map<string, Remote>()

  constructor(scratch: Scratch) {
    this.#scratch = scratch
  }

  #worker(name: string): Remote {
    const there = this.#workers.get(name)
    if (there !== undefined) return there
    const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
    const child = fork(file, [], { execArgv: loader, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#scratch.adopt(child, name)
    const remote = new Remote(child)
    this.#workers.set(name, remote)
    return remote
  }

  /** Visitors of bytes. */
  get visitor(): Remote {
    return this.#worker('visitor')
  }

  /** What bytes come to. */
  get service(): Remote {
    return this.#worker('service')
  }

  /** What requests come to. */
  get web(): Remote {
    return this.#worker('web')
  }

  /** Visitors that ask by HTTP. */
  get requester(): Remote {
    return this.#worker('requester')
  }

  /** Both ends of datagrams. */
  get datagrams(): Remote {
    return this.#worker('datagrams')
  }

  /** Tables of hosts, with nothing around them. */
  get lookups(): Remote {
    return this.#worker('lookups')
  }
}
