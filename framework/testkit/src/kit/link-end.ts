import type { Link } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { Scope } from './scope.js'
import { reset } from './streams.js'

/** The first byte of each stream on a link that carries streams: some show a stream to the other side only with it. */
const OPENING = Buffer.from([0x2a])

/** One end of a link, taken over in the turn in which it was made. Hides whether it carries bytes or streams. */
export class LinkEnd {
  /** Streams that the other side opened and were not taken yet, in order. */
  readonly incoming: Duplex[] = []
  /** How often it was said that the link is gone. */
  closes = 0
  /** The reason it was said with. */
  error: Error | undefined
  /** The other side has ended it, as far as links of this kind can tell. */
  ended = false

  constructor(readonly link: Link) {
    if (link.kind === 'streams') {
      link.onStream = (stream) => {
        stream.on('error', () => {})
        this.incoming.push(stream)
      }
      link.onClose = (error) => {
        this.closes++
        this.error = error
      }
      // A session reads its control stream all the time; only who reads sees it end.
      link.control?.resume()
      return
    }
    link.duplex.on('error', (error: Error) => {
      this.error ??= error
    })
    link.duplex.on('end', () => {
      this.ended = true
    })
    link.duplex.on('close', () => {
      this.closes++
    })
  }

  get over(): boolean {
    return this.closes > 0 || this.ended
  }

  /** Gives the link up. */
  drop(): void {
    if (this.link.kind === 'streams') this.link.destroy()
    else reset(this.link.duplex)
  }
}

/** Opens a stream from one end to the other. A link of bytes is the only one that it has. */
export const openStream = async (scope: Scope, from: LinkEnd, to: LinkEnd): Promise<[Duplex, Duplex]> => {
  if (from.link.kind === 'bytes' && to.link.kind === 'bytes') return [from.link.duplex, to.link.duplex]
  if (from.link.kind !== 'streams') throw new TypeError('one end carries streams, the other one bytes')
  const near = await scope.wait(from.link.open(), 'open()')
  near.on('error', () => {})
  near.write(OPENING)
  for (;;) {
    await scope.until(() => to.incoming.length > 0, 'the stream at the other side')
    const far = to.incoming.shift() as Duplex
    // streams that were given up before they carried anything may have come first
    if (await firstByte(scope, far)) return [near, far]
  }
}

/** Takes the byte that {@link openStream} sends; `false` when the stream is gone without one. */
export const firstByte = async (scope: Scope, stream: Duplex): Promise<boolean> => {
  let byte: Buffer | null = null
  await scope.until(() => {
    byte ??= stream.read(1)
    return byte !== null || stream.destroyed
  }, 'the first byte of the stream')
  if (byte === null) return false
  if (!OPENING.equals(byte)) throw new Error('the first byte of the stream is another one')
  return true
}

/** From now on all that comes is sent back, on streams that are there and on those to come. */
export const echo = ({ link, incoming }: LinkEnd): void => {
  if (link.kind === 'bytes') return void link.duplex.pipe(link.duplex)
  const back = (stream: Duplex): void => void stream.on('error', () => {}).pipe(stream)
  link.onStream = back
  incoming.splice(0).forEach(back)
}

/** A stream of this end's own. A link of bytes is the only one that it has. */
export const ownStream = async ({ link }: LinkEnd): Promise<Duplex> =>
  link.kind === 'bytes' ? link.duplex : (await link.open()).on('error', () => {})
