/** Parts of one piece of memory: those that come again are the same objects, which saves an object for each datagram. */
export class Views {
  readonly #memory: Buffer
  readonly #views: Buffer[] = []

  /** @param memory begins at 0 of its `ArrayBuffer` */
  constructor(memory: Buffer) {
    this.#memory = memory
  }

  /** @param place where the view is kept: that of a row, or of a datagram in a message */
  of(place: number, at: number, size: number): Buffer {
    const view = this.#views[place]
    if (view !== undefined && view.length === size && view.byteOffset === at) return view
    const made = this.#memory.subarray(at, at + size)
    this.#views[place] = made
    return made
  }
}
