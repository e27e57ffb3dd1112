import type { SessionInfo } from '@rystra/model'

/** Ports remembered, at most: as many proxies as a large server has, in a few megabytes. */
const LIMIT = 10_000

/** Names a proxy of a client for {@link LastPorts}. */
export const lastPortKey = ({ identity, client }: SessionInfo, proxy: string): string =>
  JSON.stringify([identity.id, client.id, proxy])

/**
 * Which port was given to whom, where the choice was the server's: a client that comes back gets the one its visitors
 * know, if it is free. The oldest are forgotten first.
 */
export class LastPorts {
  readonly #ports = new Map<string, number>()

  get(key: string): number | undefined {
    return this.#ports.get(key)
  }

  set(key: string, port: number): void {
    this.#ports.delete(key)
    this.#ports.set(key, port)
    if (this.#ports.size <= LIMIT) return
    const [oldest] = this.#ports.keys()
    if (oldest !== undefined) this.#ports.delete(oldest)
  }
}
