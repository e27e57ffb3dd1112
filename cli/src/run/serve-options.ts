/** What `serve` is told. */
export interface ServeOptions {
  readonly cwd: string
  readonly config?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly transport?: string | undefined
  readonly token?: string | undefined
  /** The token is for one client. */
  readonly once: boolean
  /** The host that clients dial. */
  readonly 'public-host'?: string | undefined
  /** Port of web visitors, without a configuration. */
  readonly 'http-port'?: number | undefined
  readonly domain?: string | undefined
  /** Whether commands can find it. */
  readonly admin: boolean
  /** Whether it reloads when the file of the configuration changes. */
  readonly watch: boolean
  /** Whether it starts with the last good configuration when the file is broken. */
  readonly resume: boolean
  /** How many processes share the work. */
  readonly members?: number | undefined
  /** Whether they share one port. */
  readonly 'reuse-port'?: boolean | undefined
  readonly json: boolean
  readonly debug: boolean
}
