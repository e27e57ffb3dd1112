import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeMembers } from '../../../cli/src/certs/members.js'
import { Hosts, Program } from './hosts.js'
import { requestRate, tableRate } from './lookups.js'
import { RedisHost } from './redis-host.js'
import { RollingRestart } from './rolling.js'
import { CLIENT_PORT, namesOf } from './scale-world.js'
import { type Outage, Visitors } from './visitors.js'

const MEMBERS = ['a', 'b', 'c'] as const
type Member = (typeof MEMBERS)[number]
const HOSTS = [...MEMBERS, 'redis', 'clients', 'visitors']
/** Set in the process that is the visitors: the beginning of the names of the namespaces. */
const INSIDE = 'RYSTRA_SCALE_PREFIX'
/** Milliseconds: how long a link is cut, longer than a lease. */
const CUT_MS = 5000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Resident memory of a process in MiB. */
const memoryOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

/** What `npm run interop:cluster -- scale` takes. */
const sizes = (args: readonly string[]) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: 'string', default: '1000' },
      each: { type: 'string', default: '3' },
      holders: { type: 'string', default: '4' },
      redundancy: { type: 'string', default: '1' },
      parts: { type: 'string', default: 'hop,lookups,deaths,engine,cuts,rolling,blackhole,split,clocks,memory,both' }
    }
  })
  const { clients, each, holders, redundancy, parts } = values
  return {
    clients: Number(clients),
    each: Number(each),
    holders: Number(holders),
    redundancy: Number(redundancy),
    parts: parts.split(',')
  }
}

class Scale {
  readonly #hosts: Hosts
  readonly #sizes: ReturnType<typeof sizes>
  readonly #folder: string
  readonly #names: readonly string[]
  readonly #visitors = new Visitors()
  readonly #members = new Map<Member, Program>()
  readonly #redis: RedisHost
  #holders: Program[] = []
  #faults = 0

  constructor(hosts: Hosts, size: ReturnType<typeof sizes>, folder: string) {
    this.#hosts = hosts
    this.#sizes = size
    this.#folder = folder
    this.#names = Array.from({ length: size.clients }, (_, index) => namesOf(index, size.each)).flat()
    this.#redis = new RedisHost(hosts)
    const { url } = this.#redis
    for (const name of MEMBERS)
      this.#members.set(name, new Program(hosts, name, 'scale-member.ts', [name, hosts.address(name), url, folder]))
  }

  #member(name: Member): Program {
    return this.#members.get(name) as Program
  }

  #addresses(names: readonly Member[] = MEMBERS): string[] {
    return names.filter((name) => this.#member(name).up).map((name) => this.#hosts.address(name))
  }

  #say(what: string, text: string): void {
    console.log(`${what.padEnd(46)} ${text}`)
  }

  /** Asks all names at the servers that are up, or at these. `aim`: milliseconds for those that failed. */
  async #measure(what: string, aim?: number, members?: readonly Member[]): Promise<Outage> {
    const outage = await this.#visitors.outage(this.#addresses(members), this.#names)
    const { all, failed, last, wrong } = outage
    const late = aim !== undefined && last > aim ? `, over the aim of ${aim} ms` : ''
    const missing = failed === 0 ? 'none was missing' : `${failed} missing at first, the last for ${last} ms${late}`
    this.#say(what, `all asked in ${all} ms; ${missing}`)
    for (const one of wrong.slice(0, 5)) console.log(`  WRONG: ${one}`)
    this.#faults += wrong.length
    return outage
  }

  /** Every name has its claim and its proxy. */
  #count(when: string): void {
    const { length } = this.#names
    const [claims, proxies] = [
      this.#redis.rows('claim', this.#sizes.redundancy > 1).length,
      this.#redis.rows('proxy', this.#sizes.redundancy > 1).length
    ]
    const wanted = length * Math.min(this.#sizes.redundancy, MEMBERS.length)
    const lost = Math.max(0, wanted - claims) + Math.max(0, wanted - proxies)
    this.#faults += lost
    this.#say(`directory ${when}`, `${claims} claims, ${proxies} proxies: ${lost} lost`)
  }

  async run(): Promise<number> {
    const { clients, each, holders, redundancy } = this.#sizes
    await makeMembers(MEMBERS, { out: this.#folder, force: false })
    await this.#redis.start()
    for (const name of MEMBERS) await this.#member(name).start()
    const empty = memoryOf(this.#member('a').pid)
    const servers = MEMBERS.map((name) => `${this.#hosts.address(name)}:${CLIENT_PORT}`)
    const share = Math.ceil(clients / holders)
    this.#holders = Array.from({ length: holders }, (_, one) => {
      const count = Math.max(0, Math.min(share, clients - one * share))
      const args = [one * share, count, each, redundancy].map(String)
      return new Program(this.#hosts, 'clients', 'scale-clients.ts', [...args, ...servers])
    })
    const begin = performance.now()
    await Promise.all(this.#holders.map((holder) => holder.start()))
    this.#say('clients', `${clients} with ${this.#names.length} names in ${Math.round(performance.now() - begin)} ms`)
    await this.#measure('all up')
    await this.#measure('all up, again: what asking alone costs')
    this.#count('at first')
    const full = memoryOf(this.#member('a').pid)
    const perName = ((full - empty) * 1024) / this.#names.length
    this.#say(
      'memory of a server',
      `${empty.toFixed(0)} MiB empty, ${full.toFixed(0)} MiB: ${perName.toFixed(1)} KiB for each name`
    )
    const parts: Record<string, () => Promise<void>> = {
      hop: () => this.#hop(),
      lookups: async () => this.#lookups(),
      deaths: () => this.#deaths(),
      engine: () => this.#engine(),
      cuts: () => this.#cuts(),
      rolling: () => this.#rolling(),
      blackhole: () => this.#blackhole(),
      split: () => this.#split(),
      clocks: () => this.#clocks(),
      memory: () => this.#memory(),
      both: () => this.#both()
    }
    for (const part of this.#sizes.parts) await parts[part]?.()
    this.#count('at last')
    const { answers, wrong } = this.#visitors
    this.#say('all in all', `${answers} answers, ${wrong} wrong, ${this.#faults} faults`)
    return this.#faults
  }

  /** What a name of another server costs beside one of this server. */
  async #hop(): Promise<void> {
    const rows = this.#redis.rows('proxy', this.#sizes.redundancy > 1)
    const of = (member: Member): string => String(rows.find((row) => row.member === member)?.value.spec?.host)
    const server = this.#hosts.address('a')
    const places = { 'at its own server': of('a'), 'through another one': of('b') }
    for (const [what, name] of Object.entries(places)) {
      await this.#visitors.latency({ server, name }, 200)
      const latency = await this.#visitors.latency({ server, name }, 500)
      const rates = []
      for (let one = 0; one < 3; one += 1) rates.push(await this.#visitors.rate({ server, name }))
      this.#say(`a name ${what}`, `${latency.toFixed(2)} ms, ${Math.max(...rates).toFixed(2)} Gbit/s`)
    }
  }

  /** What finding one name among all costs: by itself, and in requests. */
  #lookups(): void {
    const [first = ''] = this.#names
    this.#say(
      'lookups in a table of all names',
      `${tableRate(this.#names)} in a second, of one name ${tableRate([first])}`
    )
    const server = this.#hosts.address('a')
    const [one, all] = [requestRate(server, [first]), requestRate(server, this.#names)]
    if (one === undefined || all === undefined) this.#say('requests', 'skipped: there is no wrk (Debian)')
    else this.#say('requests at a in a second', `${one.toFixed(0)} of one name, ${all.toFixed(0)} of all in turn`)
  }

  async #deaths(): Promise<void> {
    for (const name of MEMBERS) {
      await this.#member(name).end('SIGKILL')
      await this.#measure(`${name} killed (SIGKILL)`, 3000)
      await this.#member(name).start()
      await this.#measure(`${name} started again`)
    }
    await this.#member('a').end('SIGTERM')
    await this.#measure('a stopped (SIGTERM)', 1000)
    await this.#member('a').start()
    await this.#measure('a started again')
    this.#count('after the deaths')
  }

  async #engine(): Promise<void> {
    await this.#redis.stop()
    await this.#measure('Redis killed', 0)
    await this.#redis.start()
    await this.#measure('Redis started again, empty', 0)
    await pause(CUT_MS)
    await this.#measure(`${CUT_MS / 1000} s later`, 0)
    this.#count('made again')
  }

  async #rolling(): Promise<void> {
    const restart = new RollingRestart(this.#hosts, (name) => this.#member(name), this.#names)
    await restart.run((what, text) => this.#say(what, text))
    await this.#measure('after it')
  }

  async #cuts(): Promise<void> {
    for (const [one, other] of [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'c']
    ] as [Member, Member][]) {
      this.#hosts.cut(one, [other])
      const third = MEMBERS.find((name) => name !== one && name !== other) as Member
      await this.#measure(`${one} and ${other} cut: at ${third}`, 0, [third])
      await pause(CUT_MS)
      this.#hosts.heal(one)
      await this.#measure(`${one} and ${other} healed`, 3000)
    }
    this.#hosts.cut('c', ['a', 'b', 'redis'])
    await pause(CUT_MS)
    this.#say('c cut from a, b and Redis', 'its clients stay with it')
    // a has no clients when all of them have gone to others before.
    const row = this.#redis.rows('proxy', this.#sizes.redundancy > 1).find(({ member }) => member !== 'c')
    const name = String(row?.value.spec?.host)
    const answer = await this.#visitors.ask({ server: this.#hosts.address(row?.member as Member), name })
    if (answer !== name) this.#faults += 1
    this.#hosts.heal('c')
    await this.#measure('c healed', 3000)
    this.#count('after the cuts')
  }

  /** Packets to Redis are lost, not refused: only time tells. */
  async #blackhole(): Promise<void> {
    for (const name of MEMBERS) this.#hosts.cut(name, ['redis'])
    await pause(CUT_MS)
    await this.#measure(`Redis answers nothing for ${CUT_MS / 1000} s`, 0)
    for (const name of MEMBERS) this.#hosts.heal(name)
    await this.#measure('Redis answers again', 0)
    await pause(CUT_MS)
    await this.#measure(`${CUT_MS / 1000} s later`, 0)
    this.#count('after Redis was away')
  }

  /** One server beside two others, while all of them reach Redis. */
  async #split(): Promise<void> {
    this.#hosts.cut('a', ['b', 'c'])
    await pause(CUT_MS)
    const halves = { a: ['a'], b: ['b', 'c'] } as const
    for (const [at, half] of Object.entries(halves)) {
      const rows = this.#redis.rows('proxy', this.#sizes.redundancy > 1)
      const names = rows.flatMap(({ member, value }) =>
        (half as readonly string[]).includes(member) ? (value.spec?.host ?? []) : []
      )
      const { failed, wrong } = await this.#visitors.outage([this.#hosts.address(at)], names)
      this.#faults += failed + wrong.length
      this.#say(
        `split: names of ${half.join(', ')} at ${at}`,
        `${names.length} asked, ${failed} missing, ${wrong.length} wrong`
      )
    }
    this.#hosts.heal('a')
    await this.#measure('the split healed', 3000)
    this.#count('after the split')
  }

  /** A member whose clock is a day off. */
  async #clocks(): Promise<void> {
    const library = spawnSync('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'], {
      encoding: 'utf8'
    }).stdout.trim()
    if (library === '') {
      this.#say('clocks', 'skipped: there is no faketime (Debian)')
      return
    }
    for (const offset of ['+1d', '-1d']) {
      await this.#member('c').end('SIGTERM')
      await this.#member('c').start({ LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' })
      // By a clock that is a day behind, certificates that were made just now are not valid yet: c has no links, and serves its own names.
      if (offset === '+1d') await this.#measure(`c with its clock at ${offset}`, 3000)
      await this.#measure(`a and b, c with its clock at ${offset}`, 3000, ['a', 'b'])
      await pause(CUT_MS)
      await this.#member('a').end('SIGKILL')
      await this.#measure(`a killed, c with its clock at ${offset}: at b`, 3000, ['b'])
      await this.#member('a').start()
    }
    await this.#member('c').end('SIGTERM')
    await this.#member('c').start()
    await this.#measure('all clocks right', 3000)
    this.#count('after the clocks')
  }

  /** A Redis that evicts keys, and one that refuses to write. */
  async #memory(): Promise<void> {
    const { used } = this.#redis
    // The first evicts some keys again and again, the second all of them before it refuses to write.
    for (const part of [0.95, 0.6]) {
      this.#redis.set({ 'maxmemory-policy': 'allkeys-lru', maxmemory: String(Math.round(used * part)) })
      for (let time = 0; time < 3; time += 1) {
        await pause(CUT_MS)
        const what = `Redis evicts (allkeys-lru, ${part} of its data)`
        await this.#measure(what, 0).catch((error: Error) => {
          this.#faults += 1
          this.#say(what, error.message)
        })
      }
    }
    this.#redis.set({ 'maxmemory-policy': 'noeviction', maxmemory: String(Math.round(used / 2)) })
    await pause(CUT_MS)
    await this.#measure('Redis is full (noeviction)', 0)
    this.#redis.set({ maxmemory: '0' })
    await pause(CUT_MS)
    await this.#measure('Redis has room again', 0)
    this.#count('after Redis was full')
  }

  /** Two servers at once: with redundancy 2 there are clients that had no other. */
  async #both(): Promise<void> {
    await Promise.all([this.#member('a').end('SIGKILL'), this.#member('b').end('SIGKILL')])
    await this.#measure('a and b killed (SIGKILL)', 3000)
    await Promise.all([this.#member('a').start(), this.#member('b').start()])
    await this.#measure('a and b started again')
    this.#count('after both')
  }

  async end(): Promise<void> {
    this.#visitors.close()
    for (const one of [...this.#holders, ...this.#members.values()]) await one.end('SIGKILL')
    await this.#redis.stop()
  }
}

const inside = async (prefix: string, args: readonly string[]): Promise<void> => {
  const hosts = new Hosts(prefix)
  hosts.know(HOSTS)
  const folder = await mkdtemp(path.join(tmpdir(), 'rystra-interop-scale-'))
  const scale = new Scale(hosts, sizes(args), folder)
  // Of a signal that comes twice, as from a terminal, the second must not end it half-way.
  const ended = new Promise<number>((resolve) => process.on('SIGTERM', () => resolve(1)))
  try {
    if ((await Promise.race([scale.run(), ended])) > 0) process.exitCode = 1
  } finally {
    await scale.end()
    await rm(folder, { recursive: true })
  }
}

/** Makes the hosts, and runs the rest as the visitors. Answers with the exit code. */
export const scale = async (args: readonly string[]): Promise<number> => {
  const prefix = process.env[INSIDE]
  if (prefix !== undefined) {
    await inside(prefix, args)
    return Number(process.exitCode ?? 0)
  }
  const missing = ['ip', 'nft', 'redis-server', 'redis-cli'].filter((one) => spawnSync('which', [one]).status !== 0)
  if (process.getuid?.() !== 0 || missing.length > 0) {
    console.log(
      `skipped: needs root, and ${missing.join(', ') || 'nothing else'} (Debian: iproute2, nftables, redis-server)`
    )
    return 0
  }
  const hosts = new Hosts(`rystra${process.pid}`)
  try {
    hosts.make(HOSTS)
    const [command, words] = hosts.at('visitors', process.execPath, ...process.execArgv, ...process.argv.slice(1))
    const child = spawn(command, words, { stdio: 'inherit', env: { ...process.env, [INSIDE]: `rystra${process.pid}` } })
    // Ended by hand or by a limit of time, it takes its processes and hosts with it.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'))
    const [code] = await once(child, 'exit')
    return Number(code ?? 1)
  } finally {
    hosts.remove()
  }
}
