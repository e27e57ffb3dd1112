import { FrameType, type FrameTypeName } from '../src/frame/types.js'
import {
  NameTable,
  type FrameSink,
  writeCall,
  writeCredit,
  writeError,
  writeHello,
  writeResponse,
  writeTimes
} from '../src/frame/write.js'
import { encodeMetadata } from '../src/frame/metadata.js'
import { writeMessage } from '../src/session/stream-frames.js'
import { settingsOf } from '../src/session/settings.js'

/** Keeps what is written to it. */
export class Written implements FrameSink {
  buffer: Buffer = Buffer.alloc(0)
  readonly frames: Buffer[] = []

  begin(type: number, flags: number, id: number, size: number): number {
    this.buffer = Buffer.alloc(8 + size)
    this.buffer[0] = type
    this.buffer[1] = flags
    this.buffer.writeUInt16BE(size, 2)
    this.buffer.writeUInt32BE(id, 4)
    this.frames.push(this.buffer)
    return 8
  }

  get bytes(): Buffer {
    return Buffer.concat(this.frames)
  }
}

export const frame = (type: number, rest: Uint8Array | string = '', { flags = 0, id = 1 } = {}): Buffer => {
  const body = typeof rest === 'string' ? Buffer.from(rest, 'hex') : rest
  const head = Buffer.from([type, flags, body.length >>> 8, body.length & 0xff, 0, 0, 0, 0])
  head.writeUInt32BE(id, 4)
  return Buffer.concat([head, body])
}

/** One frame or more of each type, as the code writes them. */
export const samples = (): Record<FrameTypeName, Buffer> => {
  const write = (fn: (sink: Written) => void): Buffer => {
    const sink = new Written()
    fn(sink)
    return sink.bytes
  }
  const names = new NameTable()
  const metadata = encodeMetadata({ tenant: 'a', own: 'b' })
  const none = { codec: 0, total: 0, metadata: undefined, body: undefined }
  const body = Buffer.from('81a161 01'.replace(' ', ''), 'hex')
  const settings = settingsOf()
  return {
    hello: write((sink) =>
      writeHello(sink, {
        version: 1,
        capabilities: 0,
        maxMessageBytes: 4_194_304,
        maxCalls: 1024,
        eventCredit: 1_048_576
      })
    ),
    request: write((sink) => {
      writeCall(sink, names, FrameType.request, 1, 'disk.usage', 5000, { codec: 1, total: 0, metadata, body })
      writeCall(sink, names, FrameType.request, 2, 'disk.usage', 0, none)
    }),
    response: write((sink) => writeResponse(sink, 1, { codec: 1, total: 0, metadata: undefined, body })),
    error: write((sink) =>
      writeError(sink, FrameType.error, 2, { code: 'rpc.busy', message: 'wait', retryable: true, retryAfter: 250 })
    ),
    event: write((sink) => writeCall(sink, names, FrameType.event, 3, 'tick', 0, { ...none, codec: 3, total: 20_000 })),
    data: frame(FrameType.data, '616263', { id: 3 }),
    cancel: frame(FrameType.cancel, '', { id: 2 }),
    credit: write((sink) => writeCredit(sink, 524_288)),
    goAway: write((sink) =>
      writeError(sink, FrameType.goAway, 0, { code: 'rpc.closing', message: 'closing', retryable: true })
    ),
    ping: write((sink) => writeTimes(sink, FrameType.ping, 4, 1000.5)),
    pong: write((sink) => writeTimes(sink, FrameType.pong, 4, 1000.5, 2000, 2000.25)),
    open: frame(FrameType.open, `0105${Buffer.from('video').toString('hex')}`, { id: 5 }),
    stream: write((sink) => writeMessage(sink, 5, Buffer.from('abc'), 7, 1000.5, settings)),
    end: frame(FrameType.end, '', { id: 5 }),
    reset: write((sink) =>
      writeError(sink, FrameType.reset, 5, { code: 'rpc.cancelled', message: 'enough', retryable: false })
    )
  }
}
