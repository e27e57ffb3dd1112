import type { Asked } from './ask.js'
import { trailersOf } from './fields.js'
import type { VisitorRequest } from './head.js'

/** What is told of a body on its way. */
export interface BodyWatch {
  moved(bytes: number): void
  /** Once, with the last byte. `false`: it is not what it should be, and was dealt with. */
  ended(): boolean
}

/** Sends the body of a request, and its trailers, as fast as the service takes them. */
export const sendBody = (request: VisitorRequest, asked: Asked, watch: BodyWatch): void => {
  asked.body.on('drain', () => request.resume())
  request.on('data', (chunk: Buffer) => {
    watch.moved(chunk.length)
    if (!asked.body.write(chunk)) request.pause()
  })
  request.on('end', () => {
    if (!watch.ended()) return
    if (isWhole(request)) asked.end(trailersOf(request.rawTrailers))
    else asked.abort()
  })
}

/** Of HTTP/2, Node says that what was reset is complete, and has an end. */
const isWhole = (request: VisitorRequest): boolean =>
  'stream' in request ? !request.stream.aborted && !request.stream.rstCode : request.complete

/** Calls `then` if the visitor goes before the body has ended. Node tells of that only until the answer is whole. */
export const ifCutOff = (request: VisitorRequest, then: () => void): void => {
  const connection = 'stream' in request ? request.stream : request.socket
  if (connection.destroyed) {
    then()
    return
  }
  connection.once('close', then)
  request.once('end', () => connection.off('close', then))
}
