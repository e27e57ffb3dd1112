/** One generated page. Every module of this folder but this one and pages.ts exports one as its default. */
export interface Page {
  /** Relative to the root. */
  readonly file: string
  /** Whether only a part of the file is generated, between marks. @default false */
  readonly partly?: boolean
  /** The whole text; without the line that says that it is generated, unless the page has one of its own. */
  text(): Promise<string> | string
}
