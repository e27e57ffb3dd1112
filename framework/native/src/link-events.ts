/** What a link reports. None is called from within a call of the link. */
export interface LinkEvents {
  /**
   * Frames of streams that are not joined, from the first to the last byte of each. With `shared` memory they are valid
   * until the call returns, as without unless it answers `true`: then the memory is the reader's. A read beyond
   * `maxBuffer` is reported without frames too.
   */
  onFrames(memory: Buffer, start: number, end: number, shared: boolean): boolean
  onEnd(): void
  /** @param errno 0: both directions have ended */
  onLost(errno: number): void
  onWritable(): void
  /** The peer has acknowledged a stream. */
  onAcknowledged(id: number): void
  /** The answer of the peer has accepted a stream. */
  onReady(id: number): void
  /** The peer has answered otherwise, or more of it, see `BatchedLink.answer`. */
  onAnswer(id: number): void
  /** The socket of a stream has ended, and all of it was sent. */
  onEndSent(id: number): void
  onEndReceived(id: number): void
  /**
   * A stream is over: the numbers of its bytes are final, its socket is the caller's again.
   *
   * @param reason 0 for a clean end, an errno of its socket, or one of `OVER`
   */
  onOver(id: number, reason: number, sent: number, received: number): void
  /** The peer has violated the protocol. */
  onViolation(id: number, syn: boolean): void
}
