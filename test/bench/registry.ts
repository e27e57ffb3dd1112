import { randomBytes } from 'node:crypto'
import { loopback } from './address.js'
import type { RequestRates, RequestTask } from './load/requester.js'
import type { Load } from './load/index.js'
import type { Lookups } from './load/lookups.js'
import { type HostPlace, placesOf } from './load/places.js'
import type { BenchOptions } from './options.js'
import type { Memory } from './peer.js'
import { type Served, startEnd, webPort } from './peers/rystra.js'
import type { Scratch } from './scratch.js'

const CLIENTS = 10

/** Visitors at a time that ask for hosts in turn. */
const VISITORS = 8

/** What requests for random hosts take among so many; microseconds, the middle. */
export interface RequestsAmong {
  readonly hosts: number
  readonly exact: number
  readonly wildcard: number
  readonly path: number
}

/** Many hosts of a few clients on one server. */
export interface RegistryResult {
  readonly hosts: number
  readonly clients: number
  /** Milliseconds until all were published, and until all but a few were taken back. */
  readonly registered: number
  readonly removed: number
  /** Heap and external memory for each proxy, in bytes. */
  readonly server: number
  readonly client: number
  readonly lookups: readonly Lookups[]
  readonly requests: readonly RequestsAmong[]
}

/** Requests, and windows at most, before any is measured. */
const WARM = 15_000
const WARM_UPS = 20

const sum = ({ heap, external }: Memory): number => heap + external
const nameOf = (index: number): string => `web${index}`
const clientOf = (index: number): number => index % CLIENTS

/** Publishes all, looks what they need, and asks for them while they become fewer. */
export const measureRegistry = async (
  load: Load,
  scratch: Scratch,
  { hosts, window }: BenchOptions,
  progress: (text: string) => void
): Promise<RegistryResult> => {
  // As many as there are at least ten of, so that each form is there.
  const sizes = [...new Set([10, Math.max(10, Math.floor(hosts / 10)), Math.max(10, hosts)])]
  const all = Math.max(10, hosts)
  const service = `${loopback}:${await load.web.call<number>('listen')}`
  const token = randomBytes(24).toString('base64url')
  const [server, client] = [startEnd(scratch), startEnd(scratch)]
  const limits = { proxiesPerSession: Math.ceil(all / CLIENTS) + 1 }
  const { port } = await server.remote.call<Served>('server', { token, sessions: 100, packages: [webPort], limits })
  const packages = ['@rystra/proxy-http']
  const joining = { token, port, muxer: 'yamux', service, count: CLIENTS, name: 'hosts', packages, proxy: null }
  await client.remote.call('clients', joining, 120_000)
  const before = { server: sum(await server.memory()), client: sum(await client.memory()) }
  const places = placesOf(0, all)
  progress(`${all} hosts of ${CLIENTS} clients`)
  const entries = places.map(({ host, path }, index) => ({
    client: clientOf(index),
    entry: { name: nameOf(index), kind: 'http', local: service, host, ...(path === '/' ? {} : { path }) }
  }))
  const published = await client.remote.call<{ milliseconds: number; address: string }>('publish', { entries }, 120_000)
  const after = { server: sum(await server.memory()), client: sum(await client.memory()) }
  const address = { host: loopback, port: Number(/:(\d+)/.exec(published.address.slice(5))?.[1]) }
  const warm = places.slice(0, 200).map((place) => `${place.requestHost}${place.requestPath}`)
  const warming: RequestTask = { address, places: warm, connections: VISITORS, milliseconds: window }
  // Code that runs for the first time is slower by far, and the first size would pay for it.
  for (let tried = 0, sent = 0; tried < WARM_UPS && sent < Math.min(WARM, window * 8); tried++) {
    sent += ((await load.requester.call<RequestRates>('ask', warming)).perSecond * window) / 1000
  }
  const requests: RequestsAmong[] = []
  const lookups: Lookups[] = []
  let removed = 0
  let left = all
  for (const size of [...sizes].reverse()) {
    progress(`requests and look-ups among ${size} hosts`)
    const names = Array.from({ length: left - size }, (_, more) => size + more).map((index) => ({
      client: clientOf(index),
      name: nameOf(index)
    }))
    const begin = performance.now()
    await client.remote.call('unpublish', { names }, 120_000)
    if (names.length > 0) removed += performance.now() - begin
    left = size
    const middle = async (form: HostPlace['form']): Promise<number> => {
      const some = shuffled(places.slice(0, size).filter((place) => place.form === form)).slice(0, 200)
      const targets = some.map((place) => `${place.requestHost}${place.requestPath}`)
      const task: RequestTask = { address, places: targets, connections: VISITORS, milliseconds: window }
      // The first round makes the connections to the service that the next ones use again.
      await load.requester.call<RequestRates>('ask', { ...task, milliseconds: window / 2 })
      return (await load.requester.call<RequestRates>('ask', task)).p50
    }
    const [exact, wildcard, path] = [await middle('exact'), await middle('wildcard'), await middle('path')]
    requests.unshift({ hosts: size, exact, wildcard, path })
    lookups.unshift(await load.lookups.call<Lookups>('lookups', size, 120_000))
  }
  const each = (end: 'server' | 'client'): number => (after[end] - before[end]) / all
  return {
    hosts: all,
    clients: CLIENTS,
    registered: published.milliseconds,
    removed,
    server: each('server'),
    client: each('client'),
    lookups,
    requests
  }
}

const shuffled = <Item>(items: readonly Item[]): Item[] =>
  items
    .map((item, index) => ({ item, at: (index * 7919) % items.length }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item)
