import type { Http2Stream } from 'node:http2'

/** Sends RST_STREAM. Node would send END_STREAM in front of it, and a body that was cut would be taken for a whole one. */
export const resetH2 = (stream: Http2Stream, code: number): void => {
  if (stream.closed || stream.destroyed) return
  stream.end = () => stream
  stream.close(code)
}
