/**
 * Visitors and the service of datagrams, both in one process of their own: so it is known what is still on its way, and no more is sent
 * than comes out.
 */
import { BatchedUdp } from '@rystra/native'
import dgram from 'node:dgram'
import { type Address, loopback } from '../address.js'
import { serve } from './remote.js'

/** `trip` is there and back. */
export type DatagramDirection = 'up' | 'down' | 'trip'

/** What is to be sent. */
export interface DatagramTask {
  /** Where visitors send to. */
  readonly address: Address
  /** The port of the service that this leads to. */
  readonly port: number
  readonly direction: DatagramDirection
  /** Bytes of each datagram. */
  readonly size: number
  readonly milliseconds: number
  /** Datagrams on their way at a time, all visitors together. */
  readonly window: number
}

/** The same at a given pace both ways, whatever comes out. */
export type PacedTask = Omit<DatagramTask, 'direction' | 'window'> & { readonly perSecond: number }

/** What came of it. */
export interface Passed {
  readonly perSecond: number
  /** All that came, also before and after the time that was measured. */
  readonly count: number
  /** The share of what was sent that never came. */
  readonly lost: number
}

const VISITORS = 8

/** Milliseconds after which what has not come is lost. */
const LOSS_TIMEOUT_MS = 300

const room = 4 * 1024 * 1024

/** A socket that is faster than what is measured: in batches, where the native part is there. */
interface LoadSocket {
  readonly port: number
  onDatagram: (datagram: Buffer, host: string, port: number) => void
  send(datagram: Buffer, port?: number, host?: string): void
  close(): void
}

const socketAt = async (connect?: Address): Promise<LoadSocket> => {
  const socket = dgram.createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) })
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.bind(0, loopback, resolve))
  socket.setRecvBufferSize(room)
  socket.setSendBufferSize(room)
  if (connect !== undefined) await new Promise<void>((resolve) => socket.connect(connect.port, connect.host, resolve))
  const onDatagram = (datagram: Buffer, host: string, port: number): void => made.onDatagram(datagram, host, port)
  const batched = BatchedUdp.attach(socket, { onDatagram, onError: () => {} })
  if (batched === undefined) socket.on('message', (datagram, { address, port }) => onDatagram(datagram, address, port))
  const made: LoadSocket = {
    port: socket.address().port,
    onDatagram: () => {},
    send(datagram, port, host) {
      if (batched !== undefined) batched.post(datagram, port, host)
      else if (port === undefined) socket.send(datagram, 0, datagram.length)
      else socket.send(datagram, 0, datagram.length, port, host)
    },
    close: () => socket.close()
  }
  return made
}

/** A service, and who its visitors are as it sees them. */
const services = new Map<number, LoadSocket>()

/** Both ends of some visitors' datagrams. The first byte of each says whose it is. */
class Pairs {
  readonly #service: LoadSocket
  readonly #visitors: LoadSocket[] = []
  readonly #remotes: Address[] = []
  atService: (visitor: number) => void = () => {}
  atVisitor: (visitor: number) => void = () => {}

  constructor(service: LoadSocket) {
    this.#service = service
  }

  /** Each visitor is known at the service, and has had an answer. */
  async open(address: Address): Promise<this> {
    const known = new Set<number>()
    this.#service.onDatagram = (datagram, host, port) => {
      const visitor = datagram[0] as number
      this.#remotes[visitor] ??= { host, port }
      this.atService(visitor)
    }
    for (let visitor = 0; visitor < VISITORS; visitor++) {
      const socket = await socketAt(address)
      socket.onDatagram = (datagram) => {
        known.add(visitor)
        this.atVisitor(datagram[0] as number)
      }
      this.#visitors.push(socket)
    }
    const hello = Buffer.alloc(16)
    this.atService = (visitor) => this.back(visitor, hello)
    for (let tried = 0; known.size < VISITORS; tried++) {
      if (tried > 100) throw new Error('no datagram came back')
      for (let visitor = 0; visitor < VISITORS; visitor++) if (!known.has(visitor)) this.there(visitor, hello)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    this.atService = () => {}
    return this
  }

  there(visitor: number, datagram: Buffer): void {
    datagram[0] = visitor
    this.#visitors[visitor]?.send(datagram)
  }

  back(visitor: number, datagram: Buffer): void {
    const { host, port } = this.#remotes[visitor] as Address
    datagram[0] = visitor
    this.#service.send(datagram, port, host)
  }

  close(): void {
    for (const socket of this.#visitors) socket.close()
    this.#service.onDatagram = () => {}
  }
}

const opened = async <Result>(
  { address, port }: Pick<DatagramTask, 'address' | 'port'>,
  use: (pairs: Pairs) => Promise<Result>
): Promise<Result> => {
  const pairs = new Pairs(services.get(port) as LoadSocket)
  try {
    return await use(await pairs.open(address))
  } finally {
    pairs.close()
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Each datagram that comes out lets the next one in. */
const flow = (task: DatagramTask): Promise<Passed> =>
  opened(task, async (pairs) => {
    const { direction, size, milliseconds, window } = task
    // Each is sent again only when it is through, so that those on their way may share memory.
    const datagrams = Array.from({ length: VISITORS }, () => Buffer.alloc(size))
    const heard = new Float64Array(VISITORS)
    let sent = 0
    let came = 0
    let stopped = false
    const next = (visitor: number): void => {
      if (stopped) return
      sent++
      if (direction === 'down') pairs.back(visitor, datagrams[visitor] as Buffer)
      else pairs.there(visitor, datagrams[visitor] as Buffer)
    }
    const arrived = (visitor: number): void => {
      came++
      heard[visitor] = performance.now()
      next(visitor)
    }
    if (direction === 'up') pairs.atService = arrived
    else pairs.atVisitor = arrived
    if (direction === 'trip') pairs.atService = (visitor) => pairs.back(visitor, datagrams[visitor] as Buffer)
    const share = Math.max(1, Math.floor(window / VISITORS))
    const fill = (visitor: number): void => {
      heard[visitor] = performance.now()
      for (let count = 0; count < share; count++) next(visitor)
    }
    for (let visitor = 0; visitor < VISITORS; visitor++) fill(visitor)
    const watch = setInterval(() => {
      const late = performance.now() - LOSS_TIMEOUT_MS
      for (let visitor = 0; visitor < VISITORS; visitor++) if ((heard[visitor] as number) < late) fill(visitor)
    }, 20)
    try {
      await pause(milliseconds / 5)
      const [before, begin] = [came, performance.now()]
      // A short window on a machine that does much else: the figure is by the time that it took.
      do await pause(milliseconds)
      while (came === before && performance.now() - begin < 5000)
      const perSecond = ((came - before) * 1000) / (performance.now() - begin)
      stopped = true
      await pause(LOSS_TIMEOUT_MS)
      return { perSecond, count: came, lost: (sent - came) / sent }
    } finally {
      clearInterval(watch)
    }
  })

/** So many a second, both ways. */
const paced = (task: PacedTask): Promise<Passed> =>
  opened(task, async (pairs) => {
    const { size, milliseconds, perSecond } = task
    const datagram = Buffer.alloc(size)
    let came = 0
    let sent = 0
    pairs.atService = () => void came++
    pairs.atVisitor = () => void came++
    const begin = performance.now()
    let passed = 0
    while (passed < milliseconds) {
      const due = Math.floor((passed * perSecond * 2) / 1000)
      // A sender that was kept from the processor does not make up for it in one burst.
      for (let count = Math.min(due - sent, 64); count > 0; count--) {
        const visitor = (sent >> 1) % VISITORS
        if (sent++ % 2 === 0) pairs.there(visitor, datagram)
        else pairs.back(visitor, datagram)
      }
      await pause(1)
      passed = performance.now() - begin
    }
    await pause(LOSS_TIMEOUT_MS)
    return { perSecond: (came * 1000) / passed, count: came, lost: sent === 0 ? Number.NaN : (sent - came) / sent }
  })

serve({
  listen: async () => {
    const service = await socketAt()
    services.set(service.port, service)
    return service.port
  },
  flow,
  paced
})
