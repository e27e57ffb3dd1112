import type { State } from './state.js'

/** What a view works with. */
export interface ViewHost {
  readonly state: State
  /** Whether the caller may do what needs this scope. */
  may(scope: 'operate' | 'admin'): boolean
}

/** One tab of the dashboard. */
export interface View {
  readonly element: HTMLElement
  /** Something has happened, or a second is over. */
  update(what: 'sample' | 'event'): void
  /** The theme has changed. */
  redraw?(): void
  close(): void
}

/** A tab, before it is opened. */
export interface Tab {
  readonly id: string
  readonly title: string
  /** Whether there is anything of it at this end. @default always */
  exists?(state: State): boolean
  open(host: ViewHost): View
}

/** Calls `fn` each `ms` while the page is seen, and once at once. Returns what ends it. */
export const poll = (fn: () => Promise<void>, ms: number, onError: (error: Error) => void): (() => void) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let over = false
  const next = (): void => {
    const work = document.hidden ? Promise.resolve() : fn()
    void work
      .catch((error: unknown) => onError(error as Error))
      .then(() => {
        if (!over) timer = setTimeout(next, ms)
      })
  }
  next()
  return () => {
    over = true
    clearTimeout(timer)
  }
}
