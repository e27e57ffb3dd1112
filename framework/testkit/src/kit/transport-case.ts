import { type CaseOptions, caseMaker } from './kit.js'
import type { LinkEnd } from './link-end.js'
import { type TransportSubject, TransportWorld } from './transport-world.js'

/** A case of the kit for transports. */
export const transportCase = caseMaker<TransportSubject, TransportWorld>(TransportWorld.open)

/** For links of streams only. */
export const withStreams: CaseOptions<TransportSubject> = { applies: ({ links }) => links === 'streams' }

/** For links with messages beside the streams only. */
export const withDatagrams: CaseOptions<TransportSubject> = { applies: ({ datagrams = false }) => datagrams }

/** Whether a link is over; one of bytes tells only who reads. */
export const isOver = (end: LinkEnd): boolean => {
  if (end.link.kind === 'bytes') end.link.duplex.resume()
  return end.over
}
