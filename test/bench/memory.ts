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

/** Clients that are there already when others are counted: with the first ones the server itself grows, by what it holds once. */
const FIRST_CLIENTS = 200

/** A server of our own, without and with clients. */
export const measureClients = async (scratch: Scratch, muxer: string, count: number): Promise<ClientMemory> => {
  const token = randomBytes(24).toString('base64url')
  const server = startEnd(scratch)
  const first = Math.min(FIRST_CLIENTS, count)
  const { port } = await server.remote.call<Served>('server', { token, sessions: first + count + 100 })
  const ends = Array.from({ length: Math.min(processes, count) }, () => startEnd(scratch))
  const connect = async (clients: number, name: string): Promise<void> => {
    const share = (part: number): number => Math.floor(clients / ends.length) + (part < clients % ends.length ? 1 : 0)
    const task = { token, port, muxer, service: '127.0.0.1:9' }
    const one = (end: End, part: number): Promise<unknown> =>
      end.remote.call('clients', { ...task, count: share(part), name: `${name}${part}` }, 120_000)
    await Promise.all(ends.map(one))
  }
  const measure = async () => ({ own: sum(await server.memory()), resident: residentBytes([server.pid]) })
  const empty = await measure()
  await connect(first, 'first')
  const before = await measure()
  await connect(count, 'idle')
  const after = await measure()
  const each = (after.own - before.own) / count
  return {
    clients: count,
    each,
    resident: (after.resident - before.resident) / count,
    total: after.own - empty.own - first * each
  }
}
