/**
 * Errors of a peer that has left, or of the server that had it. A stream is reset before it is accepted when its peer ends the session
 * that it leaves.
 */
const movedCodes: ReadonlySet<string> = new Set([
  'cluster.not-here',
  'cluster.fenced',
  'cluster.refused',
  'mux.closed',
  'session.closing',
  'session.lost',
  'session.replaced',
  'session.timeout',
  'stream.reset',
  'protocol.timeout'
])

/** Whether a stream that was not accepted failed as its peer is not where it was, or the server of that peer is not. */
export const isMoved = (code: string): boolean =>
  movedCodes.has(code) || code.startsWith('connect.') || code.startsWith('tls.')
