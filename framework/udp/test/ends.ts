import { duplexPair, FakeClock, joinDatagrams, type MemoryDatagramOptions } from '@rystra/testkit'
import type { DatagramFlow, Logger, RystraError } from '@rystra/plugin'
import { loadNative } from '@rystra/native'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { limitsOf, UdpServices, UdpVisitors } from '@rystra/udp'
import type { CarrierStream } from '../src/carrier.js'
import type { UdpServicesOptions } from '../src/services.js'
import type { UdpVisitorsOptions } from '../src/visitors-options.js'

const started: (() => unknown)[] = []

export const later = (end: () => unknown): void => {
  started.push(end)
}

export const cleanUp = async (): Promise<void> => {
  for (const end of started.splice(0).reverse()) await end()
}

export { turns, until } from '@rystra/testkit'

/** Both ends of a stream, with datagrams next to it or without. */
export const ends = (datagrams?: MemoryDatagramOptions): [CarrierStream, CarrierStream] => {
  const [one, other] = duplexPair()
  for (const stream of [one, other]) stream.on('error', () => {})
  later(() => {
    one.destroy()
    other.destroy()
  })
  if (datagrams === undefined) return [{ stream: one }, { stream: other }]
  const [here, there] = joinDatagrams(datagrams) as unknown as [DatagramFlow, DatagramFlow]
  return [
    { stream: one, datagrams: here },
    { stream: other, datagrams: there }
  ]
}

export const bound = async (host = '127.0.0.1', port = 0): Promise<dgram.Socket> => {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(port, host)
  await once(socket, 'listening')
  let open = true
  socket.once('close', () => {
    open = false
  })
  later(() => {
    if (open) socket.close()
  })
  return socket
}

export const portOf = (socket: dgram.Socket): number => (socket.address() as AddressInfo).port

/** A service that sends everything back, and keeps what came. */
export const echoService = async (host?: string): Promise<{ port: number; came: Buffer[]; socket: dgram.Socket }> => {
  const socket = await bound(host)
  const came: Buffer[] = []
  socket.on('message', (datagram, { address, port }) => {
    came.push(datagram)
    socket.send(datagram, port, address)
  })
  return { port: portOf(socket), came, socket }
}

/** Sends, and answers with what comes next. */
export const ask = async (
  visitor: dgram.Socket,
  port: number,
  datagram: Buffer | string,
  host = '127.0.0.1'
): Promise<Buffer> => {
  const answer = once(visitor, 'message')
  visitor.send(datagram, port, host)
  return (await answer)[0] as Buffer
}

/** A log whose warnings can be read. */
export const keptLog = (): { log: Logger; errors: RystraError[] } => {
  const errors: RystraError[] = []
  const keep = (fields: object | string): void => {
    const { err } = fields as { err?: RystraError }
    if (err !== undefined) errors.push(err)
  }
  const log: Logger = { trace() {}, debug() {}, info() {}, warn: keep, error: keep, child: () => log }
  return { log, errors }
}

/** Whether the native part is used by {@link tunnel}. */
let native = true

/** The same specs with the native part, where it has a binary for this platform, and without. */
export const bothWays = (title: string, specs: () => void): void => {
  for (const used of loadNative() === undefined ? [false] : [true, false]) {
    describe(`${title}, native part ${used ? 'on' : 'off'}`, () => {
      before(() => {
        native = used
      })
      specs()
    })
  }
}

/** Visitors at one end, services at the other. */
export const tunnel = async (
  local: string | number,
  {
    datagrams,
    visitors = {},
    services = {},
    limits = {},
    host = '127.0.0.1'
  }: {
    datagrams?: MemoryDatagramOptions
    visitors?: Partial<UdpVisitorsOptions>
    services?: Partial<UdpServicesOptions>
    limits?: Parameters<typeof limitsOf>[0]
    host?: string
  } = {}
) => {
  const clock = new FakeClock()
  const { log, errors } = keptLog()
  const socket = await bound(host)
  const port = portOf(socket)
  const opened: { near: CarrierStream; far: CarrierStream; services: UdpServices }[] = []
  const at = { limits: limitsOf(limits), clock, log, native }
  const open = async (): Promise<CarrierStream> => {
    const [near, far] = ends(datagrams)
    opened.push({ near, far, services: new UdpServices({ ...far, local: String(local), ...at, ...services }) })
    return near
  }
  const table = new UdpVisitors({ socket, address: { host, port }, open, ...at, ...visitors })
  later(() => table.close())
  return { clock, errors, socket, port, opened, visitors: table }
}
