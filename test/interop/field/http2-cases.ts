import { frame, heads } from '../../e2e/h2-frames.js'

/** Error codes of RFC 9113 §7. */
export const codes = { protocol: 1, flowControl: 3, streamClosed: 5, frameSize: 6, compression: 9 } as const

/** Frames that a client must not send, or may send, and what RFC 9113 asks of a server. */
export interface FrameCase {
  readonly section: string
  readonly what: string
  readonly bytes: Buffer
  /** The error codes that are right; none where the frames are to be ignored. */
  readonly errors: readonly number[]
}

const request = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'app.localhost']
] as const
type Fields = readonly (readonly [string, string])[]
const [method, scheme, path, authority] = request
const post: Fields = [[':method', 'POST'], scheme, path, authority]

const open = heads(1, post, false)
const ended = heads(1, post, true)
const numbers = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4)
  return bytes
}
const setting = (id: number, value: number): Buffer => {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id)
  bytes.writeUInt32BE(value, 2)
  return bytes
}
const [data, headers, priority, reset, settings, push, ping, goaway, update, continuation] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9
] as const
const { protocol, flowControl, streamClosed, frameSize, compression } = codes

const one = (section: string, what: string, errors: readonly number[], ...bytes: readonly Buffer[]): FrameCase => ({
  section,
  what,
  errors,
  bytes: Buffer.concat(bytes)
})
const malformed = (section: string, what: string, fields: Fields): FrameCase =>
  one(section, what, [protocol], heads(1, fields, true))

export const frameCases: readonly FrameCase[] = [
  one('4.1', 'a frame of an unknown type', [], frame(22, 0, 0, Buffer.alloc(8))),
  one('4.1', 'a frame of an unknown type within a field block', [protocol], frame(headers, 1, 1), frame(22, 0, 0)),
  one('4.2', 'DATA above SETTINGS_MAX_FRAME_SIZE', [frameSize], open, frame(data, 0, 1, Buffer.alloc(16_385))),
  one('4.2', 'HEADERS above SETTINGS_MAX_FRAME_SIZE', [frameSize], frame(headers, 4, 1, Buffer.alloc(16_385))),
  one('4.3', 'a field block that is no HPACK', [compression], frame(headers, 5, 1, Buffer.from([0xff, 0xff, 0xff]))),
  one('5.1', 'DATA on an idle stream', [protocol], frame(data, 1, 1)),
  one('5.1', 'RST_STREAM on an idle stream', [protocol], frame(reset, 0, 1, numbers(8))),
  one('5.1', 'WINDOW_UPDATE on an idle stream', [protocol], frame(update, 0, 1, numbers(100))),
  one('5.1', 'DATA after END_STREAM', [streamClosed], ended, frame(data, 1, 1, Buffer.from('x'))),
  one('5.1', 'HEADERS after END_STREAM', [streamClosed], ended, ended),
  one('5.1.1', 'an even stream', [protocol], heads(2, request, true)),
  // nghttp2 does not remember closed streams, and ignores these HEADERS.
  one('5.1.1', 'a stream below the last', [], heads(5, request, true), heads(3, request, true)),
  one('6.1', 'DATA on stream 0', [protocol], frame(data, 0, 0, Buffer.from('x'))),
  one('6.1', 'DATA with more padding than payload', [protocol], open, frame(data, 8, 1, Buffer.from([9, 0]))),
  one('6.2', 'HEADERS on stream 0', [protocol], heads(0, request, true)),
  one('6.2', 'DATA within a field block', [protocol], frame(headers, 0, 1, Buffer.from([0x82])), frame(data, 1, 1)),
  one('6.2', 'HEADERS with more padding than payload', [protocol], frame(headers, 13, 1, Buffer.from([9, 0x82]))),
  one('6.3', 'PRIORITY on stream 0', [protocol], frame(priority, 0, 0, Buffer.alloc(5))),
  one('6.3', 'PRIORITY of four bytes', [frameSize], open, frame(priority, 0, 1, Buffer.alloc(4))),
  one('6.4', 'RST_STREAM on stream 0', [protocol], frame(reset, 0, 0, numbers(8))),
  one('6.4', 'RST_STREAM of three bytes', [frameSize], open, frame(reset, 0, 1, Buffer.alloc(3))),
  one('6.5', 'SETTINGS with ACK and a payload', [frameSize], frame(settings, 1, 0, setting(3, 1))),
  one('6.5', 'SETTINGS on stream 1', [protocol], frame(settings, 0, 1)),
  one('6.5', 'SETTINGS of three bytes', [frameSize], frame(settings, 0, 0, Buffer.alloc(3))),
  one('6.5.2', 'SETTINGS_ENABLE_PUSH 2', [protocol], frame(settings, 0, 0, setting(2, 2))),
  one('6.5.2', 'SETTINGS_INITIAL_WINDOW_SIZE 2^31', [flowControl], frame(settings, 0, 0, setting(4, 2 ** 31))),
  one('6.5.2', 'SETTINGS_MAX_FRAME_SIZE 16383', [protocol], frame(settings, 0, 0, setting(5, 16_383))),
  one('6.5.2', 'an unknown setting', [], frame(settings, 0, 0, setting(0x99, 7))),
  one('6.6', 'PUSH_PROMISE of a client', [protocol], open, frame(push, 4, 1, numbers(2))),
  one('6.7', 'PING on stream 1', [protocol], frame(ping, 0, 1, Buffer.alloc(8))),
  one('6.7', 'PING of six bytes', [frameSize], frame(ping, 0, 0, Buffer.alloc(6))),
  one('6.8', 'GOAWAY on stream 1', [protocol], frame(goaway, 0, 1, Buffer.alloc(8))),
  one('6.9', 'WINDOW_UPDATE 0', [protocol], frame(update, 0, 0, numbers(0))),
  one('6.9', 'WINDOW_UPDATE 0 of a stream', [protocol], open, frame(update, 0, 1, numbers(0))),
  one('6.9', 'WINDOW_UPDATE of three bytes', [frameSize], frame(update, 0, 0, Buffer.alloc(3))),
  one('6.9.1', 'a window above 2^31-1', [flowControl], frame(update, 0, 0, numbers(2 ** 31 - 1))),
  one('6.9.1', 'a window of a stream above 2^31-1', [flowControl], open, frame(update, 0, 1, numbers(2 ** 31 - 1))),
  one('6.10', 'CONTINUATION by itself', [protocol], frame(continuation, 4, 1, Buffer.from([0x82]))),
  one('8.1', 'HEADERS again without END_STREAM', [protocol], open, heads(1, [['x', 'y']], false)),
  one('8.1.1', 'a body that is not as long as it says', [protocol], heads(1, [...post, ['content-length', '5']], true)),
  malformed('8.2', 'a field name in capitals', [...request, ['X-Test', 'y']]),
  malformed('8.2.2', 'the field connection', [...request, ['connection', 'keep-alive']]),
  malformed('8.2.2', 'te that is not trailers', [...request, ['te', 'gzip']]),
  malformed('8.3', 'a pseudo-header after a field', [method, scheme, path, ['x', 'y'], authority]),
  malformed('8.3', 'an unknown pseudo-header', [...request, [':test', 'y']]),
  malformed('8.3', 'a pseudo-header of responses', [...request, [':status', '200']]),
  malformed('8.3.1', 'no :method', [scheme, path, authority]),
  malformed('8.3.1', 'no :scheme', [method, path, authority]),
  malformed('8.3.1', 'no :path', [method, scheme, authority]),
  malformed('8.3.1', 'an empty :path', [method, scheme, [':path', ''], authority]),
  malformed('8.3.1', ':path twice', [method, scheme, path, path, authority])
]
