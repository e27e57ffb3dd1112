/** What became of one entry of a peer's configuration. */
export interface Note {
  /** Line in the source, from 1; absent for arguments of a command. */
  readonly line?: number
  /** The entry as the source names it: `transport.poolCount`, `proxies[0].localPort`. */
  readonly key: string
  /** `same`: it means the same here. `changed`: there is an equivalent that differs. `none`: it has no equivalent. */
  readonly outcome: 'same' | 'changed' | 'none'
  /** The key of Rystra, what differs, or what to do instead. */
  readonly text: string
}
