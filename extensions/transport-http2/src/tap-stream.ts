import type http2 from 'node:http2'
import { Duplex } from 'node:stream'

/** What happens on a stream. */
export interface StreamEvents {
  /** Returns whether more may be read. */
  onBytes(bytes: Buffer): boolean
  onEnd(): void
  onClose(): void
}

/** What Node's stream does no longer by itself. */
export interface TappedStream {
  /** Has Node read, and so open the window again. */
  readonly readOn: () => void
  readonly end: () => unknown
}

/** Takes the reading of a stream from Node, whose own queue would keep every frame by itself. The caller resumes it. */
export const tapStream = (h2: http2.Http2Stream, { onBytes, onEnd, onClose }: StreamEvents): TappedStream => {
  const readOn = h2._read.bind(h2, 0)
  h2._read = () => {}
  h2.push = (chunk: Buffer | null) => {
    if (chunk !== null) return onBytes(chunk)
    // Node says so also when the stream is closed without an end.
    if (!h2.closed) onEnd()
    return Duplex.prototype.push.call(h2, null)
  }
  // Node ends what it closes, and so the other side would see an end before the reset.
  const end = h2.end.bind(h2)
  h2.end = () => h2
  h2.on('error', () => {})
  h2.once('close', onClose)
  // What came with the headers of the request is in Node's queue already.
  for (let chunk = h2.read() as Buffer | null; chunk !== null; chunk = h2.read()) onBytes(chunk)
  h2.once('end', () => {
    if (!h2.closed) onEnd()
  })
  return { readOn, end }
}

/** Calls back when the end is sent, or will not be any more. */
export const whenFlushed = (h2: http2.Http2Stream, then: () => void): void => {
  if (h2.writableFinished || h2.destroyed) then()
  else {
    h2.once('finish', then)
    h2.once('close', then)
  }
}
