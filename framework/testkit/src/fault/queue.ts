/** Hands chunks from who writes to who reads, one at a time: `put` resolves when the chunk was taken. */
export class Queue implements AsyncIterable<Buffer> {
  readonly #chunks: { readonly chunk: Buffer; readonly taken: () => void }[] = []
  #ended = false
  #wake: (() => void) | undefined

  /** `taken` is called when the reader asks for the next one. */
  put(chunk: Buffer, taken: () => void): void {
    this.#chunks.push({ chunk, taken })
    this.#wake?.()
  }

  /** No more will come. What is queued is still handed out. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const next = this.#chunks.shift()
      if (next !== undefined) {
        yield next.chunk
        next.taken()
      } else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
