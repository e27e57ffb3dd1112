import { Duplex } from 'node:stream'
import { ReadableStream, WritableStream } from 'node:stream/web'
import { toRpcError } from '../error.js'
import type { RpcStream } from './rpc-stream.js'

/** A stream of RPC as those of the web: `pipeTo`, `getReader`, `getWriter`. One message is one chunk. */
export const webStreams = (
  stream: RpcStream
): { readable: ReadableStream<unknown>; writable: WritableStream<unknown> } => ({
  readable: new ReadableStream<unknown>(
    {
      pull: async (controller) => {
        const message = await stream.recv()
        if (message === undefined) controller.close()
        else controller.enqueue(message)
      },
      cancel: () => stream.reset()
    },
    { highWaterMark: 0 }
  ),
  writable: new WritableStream<unknown>({
    write: (message) => stream.send(message),
    close: () => stream.end(),
    abort: (reason) => stream.reset(toRpcError(reason))
  })
})

/** A stream of RPC as a Node `Duplex`: of bytes, or of messages with `objectMode`. */
export const duplexOf = (stream: RpcStream, { objectMode = false } = {}): Duplex =>
  new Duplex({
    objectMode,
    allowHalfOpen: true,
    read() {
      stream.recv().then(
        (message) => void this.push(message === undefined ? null : message),
        (error) => void this.destroy(error)
      )
    },
    write: (message, _encoding, done) => void stream.send(message).then(() => done(), done),
    final: (done) => {
      stream.end()
      done()
    },
    destroy: (error, done) => {
      if (!stream.closed) stream.reset(error === null ? undefined : toRpcError(error))
      done(error)
    }
  })
