import type { Memory } from './inbox.js'

/** What the streams of a link have in common. */
export interface StreamHost<Stream = never> {
  readonly memory: Memory
  /** Whether bytes travel in chunks: so that streams can be kept alive. */
  readonly chunked: boolean
  /** Whether the network takes no more: a stream that writes has to wait for `uncongested`. */
  congested(stream: Stream): boolean
  /** The inboxes have grown. */
  grew(): void
  /** Has the other end reset it, by whatever means. */
  cancel(stream: Stream): void
  /** Bytes were sent. */
  progressed(): void
  /** The stream is over, or needs the link no more. */
  streamOver(stream: Stream): void
}
