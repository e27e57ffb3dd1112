import { rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'

/** A long message that has not come whole. */
export class Assembly {
  readonly type: number
  readonly id: number
  readonly name: string
  readonly codec: number
  readonly deadline: number
  readonly metadata: Metadata | undefined
  readonly body: Buffer
  #have = 0

  constructor(
    type: number,
    id: number,
    head: Pick<Assembly, 'name' | 'codec' | 'deadline' | 'metadata'>,
    total: number
  ) {
    this.type = type
    this.id = id
    this.name = head.name
    this.codec = head.codec
    this.deadline = head.deadline
    this.metadata = head.metadata
    // In one piece, so that a body is copied once. Memory that is not written to yet costs address space alone.
    this.body = Buffer.allocUnsafeSlow(total)
  }

  /** Adds a part. Answers whether the message is whole. */
  add(bytes: Buffer, start: number, end: number, more: boolean): boolean {
    if (end - start > this.body.length - this.#have || (end === start && more)) {
      throw rpcError('rpc.protocol', 'a part that does not fit its message')
    }
    this.#have += bytes.copy(this.body, this.#have, start, end)
    if (more) return false
    if (this.#have < this.body.length) throw rpcError('rpc.protocol', 'a message that ended too early')
    return true
  }
}

/** The long messages of one connection that have not come whole, with a bound for all of them. */
export class Assemblies {
  /** Made with the first one: most connections have none. */
  #requests: Map<number, Assembly> | undefined
  #answers: Map<number, Assembly> | undefined
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a message of this size may begin. */
  fits(total: number): boolean {
    return this.#bytes + total <= this.#maxBytes
  }

  #of(answer: boolean): Map<number, Assembly> | undefined {
    return answer ? this.#answers : this.#requests
  }

  has(id: number, answer: boolean): boolean {
    return this.#of(answer)?.has(id) === true
  }

  begin(assembly: Assembly, answer: boolean): void {
    if (answer) this.#answers ??= new Map()
    else this.#requests ??= new Map()
    this.#of(answer)?.set(assembly.id, assembly)
    this.#bytes += assembly.body.length
  }

  /** Adds a part, and answers with the message when that made it whole. One of no message is ignored: it was refused. */
  add(id: number, answer: boolean, bytes: Buffer, start: number, end: number, more: boolean): Assembly | undefined {
    const assembly = this.#of(answer)?.get(id)
    if (assembly === undefined || !assembly.add(bytes, start, end, more)) return undefined
    this.drop(id, answer)
    return assembly
  }

  drop(id: number, answer: boolean): boolean {
    const assembly = this.#of(answer)?.get(id)
    if (assembly === undefined) return false
    this.#of(answer)?.delete(id)
    this.#bytes -= assembly.body.length
    return true
  }
}
