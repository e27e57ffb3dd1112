import type { HeaderField } from '@rystra/plugin'
import { CountedStream, pump, type PumpDone, rawOf } from '@rystra/bytes'
import type { Duplex } from 'node:stream'
import { isField } from './fields.js'

/** Tells the visitor that the service changes the protocol, and relays bytes from here on. */
export const switchProtocols = (
  visitor: Duplex,
  visitorHead: Buffer,
  service: Duplex,
  serviceHead: Buffer,
  protocol: string,
  fields: readonly HeaderField[],
  done: PumpDone
): void => {
  const lines = fields.filter(isField).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = Buffer.from(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${lines.join('')}\r\n`,
    'latin1'
  )
  const here = rawOf(visitor)
  const there = rawOf(service)
  if (visitorHead.length > 0) here.unread(visitorHead)
  if (serviceHead.length > 0) there.unread(serviceHead)
  pump(new CountedStream(here, { bytes: head }), there, done)
}
