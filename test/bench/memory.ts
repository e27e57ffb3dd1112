import { randomBytes } from 'node:crypto'
import type { Way } from './field.js'
import type { Load } from './load/index.js'
import { settle } from './measure.js'
import type { Memory } from './peer.js'
import { type End, type Served, startEnd } from './peers/rystra.js'
import type { Scratch } from './scratch.js'
import { residentBytes } from './usage.js'

/** Bytes for each idle stream. */
export interface StreamMemory {
  readonly streams: number
  /** Heap and external memory of our server; absent for others. */
  readonly server?: number
  readonly client?: number
  /** What the system counts, both ends together. Less exact: freed memory is not always given back. */
  readonly resident: number
}

/** Bytes at the server for each idle client with one proxy. */
export interface ClientMemory {
  readonly clients: number
  readonly each: number
  readonly resident: number
  /** All of them together, beyond an empty server: heap and external. */
  readonly total: number
}

const sum = ({ heap, external }: Memory): number => heap + external

/** Holds idle streams through a route and looks what they cost at its ends. */
export const measureStreams = async (load: Load, way: Way, streams: number): Promise<StreamMemory> => {
  const { ends, pids, address } = way.route
  const measure = async () => ({
    server: ends === undefined ? undefined : sum(await ends.server()),
    client: ends === undefined ? undefined : sum(await ends.client()),
    resident: residentBytes(pids)
  })
  const before = await measure()
  try {
    await load.visitor.call('hold', { address, count: streams }, 120_000)
    const after = await measure()
    const lost = await load.visitor.call<number>('lost')
    if (lost > 0) throw new Error(`${lost} of ${streams} idle streams were closed`)
    const each = (late?: number, early?: number): number | undefined =>
      late === undefined || early === undefined ? undefined : (late - early) / streams
    return {
      streams,
      server: each(after.server, before.server),
      client: each(after.client, before.client),
      resident: (after.resident - before.resident) / streams
    }
  } finally {
    await load.visitor.call('release')
    await settle(load, way.port)
  }
}

const processes = 4

/** A server of our own, without and with clients. */
export const measureClients = async (scratch: Scratch, muxer: string, count: number): Promise<ClientMemory> => {
  const token = randomBytes(24).toString('base64url')
  const server = startEnd(scratch)
  const { port } = await server.remote.call<Served>('server', { token, sessions: count + 100 })
  const before = { own: sum(await server.memory()), resident: residentBytes([server.pid]) }
  const parts = Math.min(processes, count)
  const share = (part: number): number => Math.floor(count / parts) + (part < count % parts ? 1 : 0)
  const connect = async (end: End, part: number): Promise<void> => {
    const task = { token, port, muxer, service: '127.0.0.1:9', count: share(part), name: `idle${part}` }
    await end.remote.call('clients', task, 120_000)
  }
  await Promise.all(Array.from({ length: parts }, (_, part) => connect(startEnd(scratch), part)))
  const total = sum(await server.memory()) - before.own
  const resident = residentBytes([server.pid]) - before.resident
  return { clients: count, each: total / count, resident: resident / count, total }
}
