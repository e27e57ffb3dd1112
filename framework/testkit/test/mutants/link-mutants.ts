import { raw, rawOf, type RawStream } from '@rystra/bytes'
import type { Muxer, StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { type MuxFlaw, simpleMuxer } from '../simple-muxer.js'
import { Bridge } from './bridge.js'

/** A muxer that is broken in one way, for what muxers and transports that multiplex must do alike. */
export interface LinkMutant {
  readonly because: RegExp
  muxer(): Muxer
}

const mutant = (flaw: MuxFlaw, because: RegExp): LinkMutant => ({ because, muxer: () => simpleMuxer(flaw) })

/** Streams whose raw face has other methods than it should. */
const rawMutant = (change: (good: RawStream) => Partial<RawStream>, because: RegExp): LinkMutant => {
  const faceOf = (stream: Duplex): RawStream => {
    const good = rawOf(new Bridge(stream, {}))
    const changes = change(good) as Record<PropertyKey, unknown>
    return new Proxy(good, {
      get: (_, key) => {
        const value = changes[key] ?? (good as unknown as Record<PropertyKey, unknown>)[key]
        return typeof value === 'function' && !(key in changes) ? value.bind(good) : value
      },
      set: (_, key, value) => Reflect.set(good, key, value)
    })
  }
  const broken = (stream: Duplex): Duplex => {
    let face: RawStream | undefined
    return Object.defineProperty(stream, raw, {
      get: () => {
        face ??= faceOf(stream)
        return face
      }
    })
  }
  const wrap: Muxer['wrap'] = (...args) => {
    const link = simpleMuxer().wrap(...args)
    const open = link.open.bind(link)
    return Object.assign(link, { open: async (signal?: AbortSignal) => broken(await open(signal)) }) as StreamLink
  }
  return { because, muxer: () => ({ name: 'simple', wrap }) }
}

const plainError: LinkMutant = {
  because: /instead of mux\.closed/,
  muxer: () => ({
    name: 'simple',
    wrap: (...args) => {
      const link = simpleMuxer().wrap(...args)
      const open = link.open.bind(link)
      return Object.assign(link, {
        open: (signal?: AbortSignal) => open(signal).catch(() => Promise.reject(new Error('no')))
      })
    }
  })
}

export const lost = /other bytes|got \d+ bytes of/

/** By the names of the cases. */
export const linkMutants: Readonly<Record<string, LinkMutant>> = {
  'carries a stream that the server opens': mutant('deaf-client', /waiting for the stream at the other side/),
  'carries a stream that the client opens': mutant('deaf-server', /waiting for the stream at the other side/),
  'carries the same through the raw face of a stream': rawMutant(
    (good) => ({
      write: (buffer, start, end, shared) => good.write(buffer, start, end > 50_000 ? end - 1 : end, shared)
    }),
    lost
  ),
  'shows a reset through the raw face as a reset': rawMutant(
    (good) => ({ reset: () => good.end() }),
    /took a reset for a clean end/
  ),
  'carries many streams at once, each its own bytes': mutant('miscounts', /the count of open streams/),
  'does not let a stalled stream hold up another': mutant('head-of-line', /waiting for/),
  'keeps little for streams that are not read': mutant('huge-window', /taken for 16 readers/),
  'lets the server answer long after the other has ended': mutant(
    'no-half-close-server',
    /the requester was closed before|saw no end/
  ),
  'lets the client answer long after the other has ended': mutant(
    'no-half-close-client',
    /the requester was closed before|saw no end/
  ),
  'closes streams without an error when both ends are done': mutant('error-at-end', /a clean close gave an error/),
  'shows a reset by the end that opened the stream as a reset': mutant('end-for-reset-opener', /took a reset/),
  'shows a reset by the end that took the stream as a reset': mutant('end-for-reset-taker', /took a reset/),
  'shows a destroy without an error as a reset': mutant('end-for-destroy', /took a reset/),
  'resets one stream and no other': mutant('resets-all', /saw no end|got \d+ bytes/),
  'forgets streams that are over': mutant('never-forgets', /waiting for both ends to count no streams/),
  'lets open streams go on when the server goes away, and opens no more': mutant(
    'going-resets',
    /saw no end|got \d+ bytes/
  ),
  'lets open streams go on when the client goes away, and opens no more': mutant(
    'going-ignored-server',
    /waiting for open\(\) to be refused/
  ),
  'opens nothing on a link that was closed': plainError,
  'opens nothing when the signal is aborted already': mutant('ignores-signal', /continued with a signal/),
  'sends what is queued before it closes': mutant('closes-at-once', /saw no end|got \d+ bytes/),
  'sends what waits for the peer before it closes': mutant('closes-at-once', /saw no end|got \d+ bytes/),
  'sends what waits on a stream that its peer has not ended before it closes': mutant(
    'closes-half',
    /saw no end|got \d+ bytes/
  ),
  'resets open streams when it closes': mutant('ends-on-close', /took a reset for a clean end/),
  'resets open streams at once when it is destroyed': mutant('lazy-destroy', /waiting for the reset/),
  'resets all streams and says so once when its link is cut': mutant('tells-twice', /onClose has to be called once/),
  'has no stream left when it says that it is closed': mutant('tells-early', /streams were open when onClose/),
  'refuses streams while no handler takes them': mutant('keeps-unwanted', /waiting for the reset/),
  'keeps nothing of streams that are given up while they open': mutant(
    'leaks-aborted',
    /waiting for both ends to count no streams/
  ),
  'carries 1000 streams at once, opened by both sides': mutant('at-most-400-streams', /stream limit reached/)
}
