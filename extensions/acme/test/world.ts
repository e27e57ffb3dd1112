import { RystraError, silentLog, type StateFolder } from '@rystra/plugin'
import { selfSigned } from '@rystra/certificates'
import { FakeClock } from '@rystra/testkit'
import { Attempts } from '../src/attempts.js'
import type { Authority, Order } from '../src/authority.js'
import { Keeper } from '../src/keeper.js'
import type { AcmeOptions } from '../src/options.js'
import { Store } from '../src/store.js'

/** A state folder in memory whose disk can be full. */
export class Files implements StateFolder {
  readonly path = '/state'
  readonly all = new Map<string, Buffer>()
  full = false

  make = (): Promise<string> => Promise.resolve(this.path)
  read = (file: string): Promise<Buffer | undefined> => Promise.resolve(this.all.get(file))
  remove = (file: string): Promise<void> => Promise.resolve(void this.all.delete(file))

  async write(file: string, content: string | Uint8Array): Promise<void> {
    if (this.full) throw new RystraError('extension.state', { detail: `${file}: ENOSPC` })
    this.all.set(file, Buffer.from(content))
  }

  lock = async (file: string): Promise<(() => Promise<void>) | undefined> => {
    if (this.all.has(file)) return undefined
    await this.write(file, '')
    return () => this.remove(file)
  }

  names = (begin: string): string[] => [...this.all.keys()].filter((name) => name.startsWith(begin))
}

const DAY_MS = 86_400_000

/** A keeper with an authority of values. */
export class World {
  readonly clock = new FakeClock(Date.UTC(2030, 0, 1))
  readonly orders: Order[] = []
  readonly events: { readonly type: string; readonly [field: string]: unknown }[] = []
  readonly warnings: string[] = []
  /** What becomes of an order. @default a certificate for 90 days */
  answer = async ({ host }: Order) =>
    selfSigned({ commonName: host, names: [host], days: 90, keyType: 'ec', notBefore: new Date(this.clock.now()) })
  keeper!: Keeper
  readonly attempts = new Attempts(() => 0)

  constructor(readonly files = new Files()) {}

  start(options: Partial<AcmeOptions> = {}): Keeper {
    const authority: Authority = {
      issue: (order) => {
        this.orders.push(order)
        return this.answer(order)
      },
      close: () => {}
    }
    const warn = (...args: unknown[]): void => void this.warnings.push(String(args.at(-1)))
    const log = { ...silentLog, warn }
    this.keeper = new Keeper({
      name: 'acme',
      options: { challenges: ['http-01', 'tls-alpn-01'], order: 'published', ordersPerHour: 50, ...options },
      authority,
      store: new Store(this.files, log, 'https://acme.example/directory'),
      attempts: this.attempts,
      clock: this.clock,
      log,
      events: { report: (type, fields) => void this.events.push({ type, ...fields }) },
      error: (code, details) => new RystraError(`acme.${code}` as never, details),
      random: () => 0,
      inherited: () => undefined
    })
    return this.keeper
  }

  async keep(...hosts: string[]): Promise<void> {
    await this.keeper.keep(new Set(hosts))
    this.keeper.resume()
  }

  /** Lets time pass, a day at a time, with the work that is done in it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= DAY_MS) {
      await this.clock.pass(Math.min(left, DAY_MS))
      await this.settle()
    }
  }

  /** Until nothing is in progress. Keys are made in other threads. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve))
    while ([...this.keeper.list()].some(({ state }) => state === 'ordering'))
  }

  info(host: string) {
    return [...this.keeper.list()].find((one) => one.host === host)
  }
}
