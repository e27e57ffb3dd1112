import { CountedStream, pump, type PumpDone, rawOf } from '@rystra/bytes'
import type { HeaderField } from '@rystra/plugin'
import { createHash } from 'node:crypto'
import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Upgrade } from './connection-info.js'
import { byName, isField } from './fields.js'

/** RFC 6455 §1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The side of the service after it changed the protocol. */
export interface ChangedService {
  readonly stream: Duplex
  /** Bytes of the new protocol that came with the response. */
  readonly head: Buffer
  readonly fields: readonly HeaderField[]
  /** `Sec-WebSocket-Key` of the visitor. */
  readonly key: string | undefined
}

/** Tells the visitor that the service changes the protocol, and relays bytes from here on. */
export const changeProtocol = (
  { protocol, socket, head: visitorHead }: Upgrade,
  { stream, head, fields, key }: ChangedService,
  done: PumpDone
): void => {
  const valid = fields.filter(isField)
  const accept = valid.findIndex(([name]) => name.toLowerCase() === 'sec-websocket-accept')
  const here = rawOf(socket)
  const there = rawOf(stream)
  if (visitorHead.length > 0) here.unread(visitorHead)
  if (head.length > 0) there.unread(head)
  if ('respond' in socket) {
    // HTTP/2 has neither a key nor its hash, RFC 8441 §5.
    const h2 = socket as ServerHttp2Stream
    if (!h2.destroyed && !h2.closed) h2.respond({ ...byName(valid.filter((_, at) => at !== accept)), ':status': 200 })
    pump(here, there, done)
    return
  }
  if (accept === -1 && key !== undefined) {
    const hash = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64')
    valid.push(['Sec-WebSocket-Accept', hash])
  }
  const lines = valid.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const response = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${lines}\r\n`
  pump(new CountedStream(here, { bytes: Buffer.from(response, 'latin1') }), there, done)
}
