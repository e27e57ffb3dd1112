/** What serves, and can be told to pause. */
export interface Member {
  /** Serves again, if it had stopped. */
  resume(): Promise<void>
  stop(): Promise<void>
}

/**
 * The instances that follow each other in reloads. A replaced one is kept by the kernel while streams go on, but stops to
 * serve as soon as another takes over: its tokens may have been withdrawn.
 */
export class Lineage {
  readonly #members = new Set<Member>()

  add(member: Member): void {
    this.#members.add(member)
  }

  delete(member: Member): void {
    this.#members.delete(member)
  }

  /** A reload is done, and this is the instance in force; it may be one that was replaced before. */
  async takeOver(member: Member): Promise<void> {
    await member.resume()
    // Not awaited: a request to reload, which the other has to answer, waits for this.
    for (const other of this.#members) if (other !== member) void other.stop().catch(() => {})
  }
}
