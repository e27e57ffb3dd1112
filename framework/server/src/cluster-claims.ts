import { type ClaimRecord, claimKey, claimRecordOf } from '@rystra/cluster'
import { RystraError } from '@rystra/model'
import type { DirectoryClaim, DirectoryGrant, DirectoryRow } from '@rystra/plugin'
import type { Claims, Held, Member, Shown } from './claims.js'
import type { MemoryClaims } from './memory-claims.js'
import type { Holder } from './owner.js'

/** Claims that contend for one key at a time, and lose it, at most: then the last answer is final. */
const MAX_TRIES = 5

/** The directory, as claims use it. */
export interface ClaimDirectory {
  readonly name: string
  /** Rejects with `cluster.unavailable`. */
  claim(claim: DirectoryClaim): Promise<DirectoryGrant>
  release(key: string, id: string): Promise<void>
  /** A row of another server, as far as it is known here. */
  row(key: string, id: string): DirectoryRow | undefined
  probe(member: string, session: string, ms: number): Promise<boolean>
}

const idOf = ({ session, spec }: Pick<Holder, 'session' | 'spec'>): string => `${session.id}.${spec.name}`

const heldBy = (what: string, proxy: string, client: string): string => `${what}, by proxy ${proxy} of client ${client}`

/** Sessions of one process of a client with several servers have its proxies together. */
const shareOf = ({ group, session: { client }, spec }: Holder): string =>
  JSON.stringify(group === undefined ? [client.id, client.instance, spec.name] : [group.name, group.policy])

/**
 * Claims of several servers: the directory decides, and what it grants is kept in the memory of this server. Proxies of other
 * servers hold what their server was granted.
 */
export class ClusterClaims implements Claims {
  readonly #memory: MemoryClaims
  readonly #directory: ClaimDirectory
  readonly #timeout: () => number

  /** @param timeout Milliseconds a holder has to answer. */
  constructor(memory: MemoryClaims, directory: ClaimDirectory, timeout: () => number) {
    this.#memory = memory
    this.#directory = directory
    this.#timeout = timeout
  }

  find<Value>(key: string): Promise<Held<Value> | undefined> {
    return this.#memory.find(key)
  }

  keyOfGroup(beginning: string, proxy: Holder): Promise<string | undefined> {
    return this.#memory.keyOfGroup(beginning, proxy)
  }

  async take<Value>(key: string, member: Member<Value>, shown: Shown): Promise<Held<Value>> {
    const { proxy } = member
    if (proxy.remote !== undefined) return this.#memory.take(key, member, shown)
    await this.#yield(key, proxy, shown)
    await this.#claim(key, member, shown)
    try {
      return await this.#memory.take(key, member, shown)
    } catch (error) {
      await this.#directory.release(claimKey(key), idOf(proxy))
      throw error
    }
  }

  /**
   * Throws when a proxy of another server has the key, and answers: an engine that was restarted without its data would grant
   * what its servers have not claimed again yet.
   */
  async #yield(key: string, { session, group }: Holder, { code, what }: Shown): Promise<void> {
    for (const { proxy } of this.#memory.get(key)?.members ?? []) {
      const own = proxy.session.identity.id === session.identity.id
      const shared = own && group !== undefined && proxy.group?.name === group.name
      // A client that comes back takes the place of its own session, and one that has several sessions shares it.
      const same = own && proxy.session.client.id === session.client.id
      if (proxy.remote === undefined || shared || same || !(await proxy.owner.probe(this.#timeout()))) continue
      if (!own) throw new RystraError(code, { side: 'server', detail: what })
      throw new RystraError(code, { side: 'client', detail: heldBy(what, proxy.spec.name, proxy.session.client.id) })
    }
  }

  /** Resolves when the directory has granted it. */
  async #claim<Value>(key: string, member: Member<Value>, shown: Shown): Promise<void> {
    const { proxy } = member
    const { session, spec } = proxy
    const value: ClaimRecord = { session: session.id, client: session.client.id, proxy: spec.name }
    const claim = {
      key: claimKey(key),
      id: idOf(proxy),
      owner: session.identity.id,
      share: shareOf(proxy),
      value
    }
    let replace = this.#predecessors(key, claim)
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const grant = await this.#directory.claim({ ...claim, replace })
      if ('fence' in grant) return
      // The holder is not disclosed to another identity.
      if (grant.held.some(({ owner }) => owner !== claim.owner)) break
      const here = grant.held.filter((row) => row.member === this.#directory.name)
      const others = grant.held.filter((row) => row.member !== this.#directory.name)
      replace = await this.#dead(others, proxy, shown)
      // Of those on this server memory knows more: one may be the predecessor, and one may have gone by now.
      if (here.length > 0) {
        await this.#memory.take(key, member, shown)
        replace = [...replace, ...here.map(({ fence }) => fence)]
      }
    }
    await this.#memory.drop(key, proxy)
    throw new RystraError(shown.code, { side: 'server', detail: shown.what })
  }

  /**
   * Fencing numbers of rows that this client has at other servers by another session: it takes their place, which needs no answer of
   * theirs. After the death of a server it saves a question to the engine for each name.
   */
  #predecessors(key: string, { key: row, owner, share, value }: DirectoryClaim): readonly number[] {
    const { client } = value as ClaimRecord
    return (this.#memory.get(key)?.members ?? []).flatMap(({ proxy }) => {
      if (proxy.remote === undefined || proxy.session.identity.id !== owner || proxy.session.client.id !== client)
        return []
      const held = this.#directory.row(row, idOf(proxy))
      return held === undefined || held.share === share ? [] : [held.fence]
    })
  }

  /** Fencing numbers of holders on other servers that are gone. Throws when one answers. */
  async #dead(rows: readonly DirectoryRow[], { session }: Holder, { code, what }: Shown): Promise<number[]> {
    const alive = await Promise.all(
      rows.map(async (row) => {
        const record = claimRecordOf(row)
        // A client that comes back to another server takes the place of its own session, as it does on one server.
        if (record?.client === session.client.id) return undefined
        if (record !== undefined && !(await this.#directory.probe(row.member, record.session, this.#timeout()))) {
          return undefined
        }
        return record === undefined ? what : heldBy(what, record.proxy, record.client)
      })
    )
    const detail = alive.find((one) => one !== undefined)
    if (detail !== undefined) throw new RystraError(code, { side: 'client', detail })
    return rows.map(({ fence }) => fence)
  }

  async drop(key: string, proxy: Holder): Promise<void> {
    const holds = this.#memory.get(key)?.members.some((member) => member.proxy === proxy) === true
    await this.#memory.drop(key, proxy)
    if (!holds || proxy.remote !== undefined) return
    await this.#directory.release(claimKey(key), idOf(proxy))
  }
}
