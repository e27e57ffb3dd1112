/** A server of a cluster. */
export interface ClusterMemberInfo {
  readonly name: string
  /** Where the other servers reach it. */
  readonly host: string
  readonly port: number
  /** Whether it is this one. */
  readonly self: boolean
}

/** The cluster of a server, as this server sees it. */
export interface ClusterInfo {
  /** Of this server: `server.cluster.name`. */
  readonly name: string
  /** `server.cluster.cluster` */
  readonly cluster: string
  /** `away`: the directory does not answer. `fenced`: for so long that others may have the names of this server. */
  readonly state: 'joining' | 'up' | 'away' | 'fenced' | 'left'
  /** By name; this server among them once it has joined. */
  readonly members: readonly ClusterMemberInfo[]
  /** Open streams of visitors of this server that others serve. */
  readonly forwarded: number
}
