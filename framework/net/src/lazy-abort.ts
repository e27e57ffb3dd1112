/** An `AbortController` of which few ask for the signal: it is made for those, and costs nothing for the others. */
export class LazyAbort {
  /** Why it was aborted. */
  reason: Error | undefined
  #controller: AbortController | undefined

  get aborted(): boolean {
    return this.reason !== undefined
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.reason !== undefined) this.#controller.abort(this.reason)
    return this.#controller.signal
  }

  abort(reason: Error): void {
    this.reason ??= reason
    this.#controller?.abort(this.reason)
  }
}
