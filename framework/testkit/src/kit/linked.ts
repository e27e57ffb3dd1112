import type { Side, StreamLink } from '@rystra/plugin'
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import type { LinkEnd } from './link-end.js'
import type { Scope } from './scope.js'

/** Both ends of one link that carries streams: a muxer's, or that of a transport that multiplexes by itself. */
export interface Linked {
  readonly server: LinkEnd
  readonly client: LinkEnd
  readonly scope: Scope
  /** Bytes that one stream may take for a reader that does not read, over all buffers. */
  readonly maxBuffered: number
  end(side: Side): LinkEnd
  /** Opens a stream; the first of the two is the end that opened it. @default the server opens it */
  open(side?: Side): Promise<[Duplex, Duplex]>
  /** Loses what the link goes over. */
  cut(): void
}

/** What a link of streams must do, of a muxer or of a transport. */
export interface LinkCheck {
  readonly name: string
  readonly run: (linked: Linked, scope: Scope) => Promise<void>
  /** It cuts the link. */
  readonly cuts: boolean
}

export const linkCheck = (name: string, run: LinkCheck['run'], { cuts = false } = {}): LinkCheck => ({
  name,
  run,
  cuts
})

export const sides = ['server', 'client'] as const

/** The other side. */
export const other = { server: 'client', client: 'server' } as const

/** The link of an end, which carries streams. */
export const muxed = ({ link }: LinkEnd): StreamLink => {
  assert.ok(link.kind === 'streams', 'this has to be a link of streams')
  return link
}

/** Nothing is open any more, and both ends know. */
export const countsNone = async (linked: Linked): Promise<void> => {
  const counts = (): number[] => sides.map((side) => muxed(linked.end(side)).streams)
  await linked.scope.until(() => counts().every((count) => count === 0), 'both ends to count no streams')
}

/** Both ends have been told that the link is gone. */
export const bothReported = ({ server, client, scope }: Linked): Promise<void> =>
  scope.until(() => server.closes > 0 && client.closes > 0, 'both ends to be told of the close')
