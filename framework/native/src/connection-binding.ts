/** The functions of the binary for TCP connections. Those of a number that is closed do nothing. */
export interface ConnectionBinding {
  /** What is read into. Once, behind `yamuxSetup`. */
  connectionMemory(memory: Buffer): void
  /** Dials the address of a row. A number of a connection, or a negative error. */
  connectionDial(row: Int32Array): number
  /**
   * Takes a copy of the descriptor of a connected socket. A number, or a negative error, EMFILE for a copy above `most`, too;
   * the two rows become the addresses of the peer and of this end.
   */
  connectionAdopt(descriptor: number, rows: Int32Array, most: number): number
  /** @param on 1 to read, 0 to pause */
  connectionRead(connection: number, on: number): void
  /** Whether all is sent. Otherwise the rest is copied, and `EVENT.connectionWritable` follows. */
  connectionWrite(connection: number, memory: Buffer, start: number, end: number): boolean
  /** Ends it behind what was written. */
  connectionEnd(connection: number): void
  /** Resets it. Nothing is reported any more. */
  connectionClose(connection: number): void
  /** Its descriptor, the caller's from now on; -1 while it is not connected, or bytes wait. */
  connectionDetach(connection: number): number
  /** The same for one that `streamJoin` is to take. It is the native part's until `connectionUnpark`. */
  connectionPark(connection: number): number
  /** No stream has taken it: its descriptor is the caller's from now on. */
  connectionUnpark(connection: number): void
}
