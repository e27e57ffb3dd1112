import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Binding } from './binding.js'
import type { WatchedTls } from './link-binding.js'
import { loadNative } from './load.js'

/** A TLS connection of OpenSSL, noticed when its socket was made. */
export interface NoticedTls {
  readonly watched: WatchedTls
  /** Bytes that had gone to the connection before. */
  readonly before: number
}

/** What of Node's handles is used. */
interface Handle {
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
  readonly _parent?: Handle
}

type Callback = 'onnewsession' | 'onkeylog' | 'onhandshakestart' | 'onhandshakedone'

/** What Node's TLS would call from within a read of the native part. */
const CALLBACKS: readonly Callback[] = ['onnewsession', 'onkeylog', 'onhandshakestart', 'onhandshakedone']

const noticedOf = Symbol.for('rystra.noticedTls')
const taken = Symbol.for('rystra.takenTls')

/** A byte that Node's TLS encrypted would take the number of a record from the native part, which the peer would miss. */
const refuse = (_chunk: unknown, ...[, callback]: [unknown, (error: Error) => void]): void =>
  callback(new Error('the native part has taken the TLS connection over: write to its link'))

type Kept = Socket & {
  [noticedOf]?: NoticedTls
  [taken]?: true
  _handle?: (Handle & { [K in Callback]?: unknown }) | null
}

/** Makes a TLS socket on top of `tcp`, and notices its connection; `undefined` without the native part. */
export const watchTls = <Made>(tcp: Socket, make: () => Made): [Made, NoticedTls | undefined] => {
  const binding = loadNative()?.binding
  // Of TLS within TLS the descriptor is that of the outer one.
  const before = tcp instanceof TLSSocket ? undefined : (tcp as Kept)._handle?.bytesWritten
  if (binding === undefined || before === undefined || !binding.tlsWatch()) return [make(), undefined]
  let watched: WatchedTls | undefined
  try {
    const made = make()
    watched = binding.tlsWatched()
    return [made, watched === undefined ? undefined : { watched, before }]
  } finally {
    if (watched === undefined) binding.tlsWatched()
  }
}

/** Remembers it, for {@link takeTls}. */
export const keepTls = (socket: TLSSocket, noticed: NoticedTls | undefined): void => {
  if (noticed !== undefined) (socket as Kept)[noticedOf] = noticed
}

/** Whether a link of the native part reads and writes in place of the socket, which is only destroyed then. */
export const isTlsTaken = (socket: TLSSocket): boolean => (socket as Kept)[taken] === true

/**
 * Puts a link in the place of the socket. `false` where it stays with Node: its connection was not noticed, or has
 * something to send.
 */
export const takeTls = (binding: Binding, link: number, socket: Socket): boolean => {
  const { [noticedOf]: noticed, _handle: handle } = socket as Kept
  const tcp = handle?._parent
  if (noticed === undefined || handle == null || tcp?.writeQueueSize !== 0) return false
  const finished = (socket as TLSSocket).getFinished()
  if (finished === undefined) return false
  const sent = (tcp.bytesWritten ?? Number.NaN) - noticed.before
  if (binding.linkSecure(link, noticed.watched, handle, finished, sent) !== 0) return false
  // Node would call JavaScript from within a read of the native part.
  for (const name of CALLBACKS) if (name in handle) handle[name] = undefined
  Object.assign(socket, {
    [taken]: true,
    _write: refuse,
    _writev: (chunks: unknown, callback: (error: Error) => void) => refuse(chunks, undefined, callback),
    // The link ends the connection.
    _final: (done: () => void) => done()
  })
  return true
}
