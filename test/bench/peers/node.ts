import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { loopback } from '../address.js'
import type { Peer } from '../peer.js'

/** One hop of plain Node in a process of its own, and no tunnel: see the scripts in relays. */
const relay = (name: string, title: string, script: string): Peer => ({
  name,
  title,
  programs: [],
  async start(service, scratch) {
    const file = fileURLToPath(new URL(`../relays/${script}`, import.meta.url))
    const child = fork(file, [service.host, String(service.port)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    })
    const program = scratch.adopt(child, script)
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message) => resolve(message as number))
      child.once('exit', () => reject(new Error(`it ended: ${program.said()}`)))
    })
    return { address: { host: loopback, port }, pids: [program.pid] }
  }
})

export const nodeProxy = relay(
  'http-node',
  'a plain reverse proxy on node:http, one hop and no tunnel',
  'http-proxy.mjs'
)
export const nodeRelay = relay('udp-node', 'a plain relay on node:dgram, one hop and no tunnel', 'udp-relay.mjs')
