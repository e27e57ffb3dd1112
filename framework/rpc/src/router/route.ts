/** Looks at data. Throws `rpc.invalid` with the path of what does not fit. */
export type Check = (data: unknown) => void

/** One name, and what happens with it. */
export interface Route<Fn> {
  readonly name: string
  readonly fn: Fn
  readonly check?: Check | undefined
  /** May run in early data, which an attacker may be able to send a second time. @default false */
  readonly replaySafe?: boolean | undefined
}
