import type { RawStream } from '@rystra/bytes'
import type { VisitorInfo } from '@rystra/model'
import type { Socket } from 'node:net'
import type { Held } from './claims.js'

/** Takes the visitors of a proxy. */
export interface OnVisitor {
  (visitor: Socket, info: VisitorInfo): void
  /** Takes those that have no socket of Node. Left out: all have one. */
  readonly raw?: (visitor: RawStream, info: VisitorInfo) => void
}

/** Gives a visitor to another member that has not been tried; says whether there was one. */
export const failover = (
  visitor: Socket,
  info: VisitorInfo,
  held: Held<OnVisitor>,
  first: OnVisitor
): (() => boolean) => {
  const tried = new Set([first])
  return () => {
    const next = visitor.destroyed ? undefined : held.pick(info, tried)
    if (next === undefined) return false
    tried.add(next)
    next(visitor, info)
    return true
  }
}
