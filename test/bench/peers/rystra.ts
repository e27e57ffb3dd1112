import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { loopback, show } from '../address.js'
import { Remote } from '../load/remote.js'
import type { Memory, Peer } from '../peer.js'
import type { Scratch } from '../scratch.js'

const script = fileURLToPath(new URL('../rystra-end.mjs', import.meta.url))

/** The other side of rystra-end.mjs. */
export interface End {
  readonly pid: number
  readonly remote: Remote
  memory(): Promise<Memory>
}

/** A process that can be a server or clients; built packages, no loader, as a user would run it. */
export const startEnd = (scratch: Scratch): End => {
  const child = fork(script, [], { execArgv: ['--expose-gc'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const { pid } = scratch.adopt(child, 'node')
  const remote = new Remote(child)
  return { pid, remote, memory: () => remote.call<Memory>('memory') }
}

const rystra = (muxer: string): Peer => ({
  name: `rystra-${muxer}`,
  title: `rystra, mux-${muxer} on tcp`,
  programs: [],
  async start(service, scratch) {
    const token = randomBytes(24).toString('base64url')
    const server = startEnd(scratch)
    const client = startEnd(scratch)
    const port = await server.remote.call<number>('server', { token, sessions: 100 })
    const task = { token, port, muxer, service: show(service), count: 1, name: 'bench' }
    const published = await client.remote.call<string>('clients', task)
    return {
      address: { host: loopback, port: Number(published.slice(published.lastIndexOf(':') + 1)) },
      pids: [server.pid, client.pid],
      ends: { server: server.memory, client: client.memory }
    }
  }
})

export const rystraDirect = rystra('direct')
export const rystraYamux = rystra('yamux')
