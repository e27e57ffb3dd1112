import type { Note } from './note.js'

/** A value with comment lines before it. */
export class Commented {
  constructor(
    readonly lines: readonly string[],
    readonly value: unknown
  ) {}
}

/** The value with comment lines before it, where there are any. */
export const commented = (lines: readonly string[], value: unknown): unknown =>
  lines.length === 0 ? value : new Commented(lines, value)

/** A variable of `.env`. Without a value it is written as a comment, for the user to fill in. */
export interface Variable {
  readonly value?: string
  readonly comment: string
}

/** The configuration that an import builds. */
export class Draft {
  /** What became of each entry. */
  readonly notes: Note[] = []
  readonly env = new Map<string, Variable>()
  readonly #extensions = new Map<string, Record<string, unknown>>()
  readonly #extensionComments = new Map<string, string[]>()
  server: Record<string, unknown> | undefined
  client: Record<string, unknown> | undefined
  log: Record<string, unknown> | undefined

  /** Adds an extension; options of several calls are merged. */
  extension(name: string, options: Record<string, unknown> = {}, comment: readonly string[] = []): void {
    this.#extensions.set(name, { ...this.#extensions.get(name), ...options })
    this.#extensionComments.set(name, [...(this.#extensionComments.get(name) ?? []), ...comment])
  }

  /** Packages of the extensions. */
  get packages(): string[] {
    return [...this.#extensions.keys()]
  }

  /**
   * Keeps a secret out of the configuration: puts it into `.env` and returns the variable that stands for it. Text that
   * has a variable already stays as it is.
   */
  secret(name: string, value: string, comment: string): string {
    if (/(?<!\$)\$\{/.test(value)) return value
    const literal = value.replaceAll('$${', () => '${')
    let unique = name
    for (let i = 2; this.env.has(unique) && this.env.get(unique)?.value !== literal; i++) unique = `${name}_${i}`
    this.env.set(unique, { value: literal, comment })
    return `\${${unique}}`
  }

  /** A variable that the user has to set. */
  unknown(name: string, comment: string): string {
    this.env.set(name, { comment })
    return `\${${name}}`
  }

  /** The whole, in the order in which it is written. */
  config(): Record<string, unknown> {
    const extensions = [...this.#extensions].map(([use, options]) =>
      commented(this.#extensionComments.get(use) ?? [], Object.keys(options).length === 0 ? use : { use, options })
    )
    return {
      ...(extensions.length === 0 ? {} : { extensions }),
      ...(this.log === undefined ? {} : { log: this.log }),
      ...(this.server === undefined ? {} : { server: this.server }),
      ...(this.client === undefined ? {} : { client: this.client })
    }
  }
}

/** `my proxy` → `MY_PROXY`: a part of the name of a variable. */
export const variablePart = (name: string): string =>
  name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '') || 'X'
