/** What a connection reports. None is called from within a call of the connection. */
export interface ConnectionEvents {
  /** It was dialed, and is connected. */
  onOpen(): void
  /** Valid until the call returns. 32 bytes in front of it are free. */
  onBytes(memory: Buffer, start: number, end: number): void
  /** The peer sends no more. */
  onEnd(): void
  /** A write that answered `false` is through. */
  onSent(): void
  /** Nothing more will be reported. @param errno 0: both directions have ended */
  onClosed(errno: number): void
}
