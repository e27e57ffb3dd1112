import { adminRoute, defineExtension, type Extension, Type } from '@rystra/plugin'

/** Lines that are kept, and their size: some minutes of a server at the level info. */
const MAX_LINES = 1000
const MAX_LINE_LENGTH = 4096

/** The last lines of a log, for reports. */
export class RecentLines {
  readonly #ring: string[] = []
  #next = 0

  add(line: string): void {
    const kept = line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…\n` : line
    this.#ring[this.#next] = kept
    this.#next = (this.#next + 1) % MAX_LINES
  }

  /** The oldest first. */
  all(): string[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)]
  }
}

/** Shows the last lines of the log by the admin API. */
export const recentLog = (lines: RecentLines): Extension =>
  defineExtension({
    name: 'recent-log',
    setup({ registries }) {
      registries.adminRoutes.add({
        name: 'recent-log',
        routes: [
          adminRoute({
            method: 'GET',
            path: '/lines',
            scope: 'admin',
            summary: 'The last lines of the log, as JSON each, secrets redacted.',
            response: Type.Object({ lines: Type.Array(Type.String()) }),
            handle: () => ({ lines: lines.all() })
          })
        ]
      })
    }
  }) as Extension
