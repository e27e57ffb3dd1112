import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import type { Address } from './address.js'
import type { Scratch } from './scratch.js'

/** What one end of a tunnel uses, as it says itself. */
export interface Memory {
  /** Bytes on the JavaScript heap after a collection. */
  readonly heap: number
  /** Bytes outside of it that belong to JavaScript objects: buffers above all. */
  readonly external: number
}

/** Both ends of a tunnel of ours. */
export interface Ends {
  readonly server: () => Promise<Memory>
  readonly client: () => Promise<Memory>
}

/** How links are to be dialed, one after the other, and dropped when they are up. */
export interface LinksTask {
  readonly milliseconds: number
  /** Whether a link may use what an earlier one left behind, a session ticket for example. */
  readonly resumed: boolean
}

/** A way from visitor to service that is up. */
export interface Route {
  /** Where visitors connect. */
  readonly address: Address
  /** The processes that relay, both ends together; empty for none. */
  readonly pids: readonly number[]
  /** Only ours can be asked. */
  readonly ends?: Ends
  /** Only ours: links per second between the two ends. */
  readonly links?: (task: LinksTask) => Promise<number>
}

/** One way to reach a service, ours or another's. */
export interface Peer {
  /** Short, lower case: `rathole`, `frp-no-mux`. */
  readonly name: string
  /** What was configured, for the table. */
  readonly title: string
  /** Programs that have to be there; the peer is left out, and named, when one is not. */
  readonly programs: readonly string[]
  /** Ours: the muxer, unless the transport multiplexes by itself. */
  readonly muxer?: string
  /** Ours: over plain TCP, where idle clients are measured too. */
  readonly plain?: boolean
  /** Brings it up between a new address and the service. Throws with a reason for people. */
  start(service: Address, scratch: Scratch): Promise<Route>
}

const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']

/** The path of a program; daemons are looked for where they live, also when that is not on the PATH. */
export const which = (program: string): string | undefined => {
  for (const folder of folders) {
    if (folder === '') continue
    const file = path.join(folder, program)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // not there
    }
  }
  return undefined
}

/** Like {@link which}, for programs that were found before. */
export const needed = (program: string): string => {
  const file = which(program)
  if (file === undefined) throw new Error(`${program} is gone`)
  return file
}
