import type { Codecs } from '../codec/codec.js'
import { decodeBody } from '../codec/codecs.js'
import { RpcError } from '../error.js'
import type { HeadReader } from '../frame/head.js'
import type { Metadata } from '../frame/metadata.js'
import { Flag } from '../frame/types.js'
import type { Assembly } from './assembly.js'

/** A message with its body still in bytes, which are valid until the call returns. */
export interface Received {
  readonly id: number
  readonly name: string
  readonly metadata: Metadata | undefined
  readonly deadline: number
  readonly bytes: number
  /** The value of the body. Throws `rpc.invalid`. */
  decode(): unknown
}

/** A message of one frame: decoded while its bytes are there. */
export class Whole implements Received {
  readonly id: number
  readonly name: string
  readonly metadata: Metadata | undefined
  readonly deadline: number
  readonly #codec: number
  readonly #codecs: Codecs
  readonly #body: Buffer

  constructor(id: number, head: HeadReader, codecs: Codecs) {
    this.id = id
    this.name = head.name
    this.metadata = head.metadata
    this.deadline = head.deadline
    this.#codec = head.codec
    this.#codecs = codecs
    this.#body = head.rest()
  }

  get bytes(): number {
    return this.#body.length
  }

  decode(): unknown {
    return decodeBody(this.#codecs, this.#codec, this.#body, false)
  }
}

/** A message of several frames: its bytes are its own. */
export class Assembled implements Received {
  readonly #assembly: Assembly
  readonly #codecs: Codecs

  constructor(assembly: Assembly, codecs: Codecs) {
    this.#assembly = assembly
    this.#codecs = codecs
  }

  get id(): number {
    return this.#assembly.id
  }

  get name(): string {
    return this.#assembly.name
  }

  get metadata(): Metadata | undefined {
    return this.#assembly.metadata
  }

  get deadline(): number {
    return this.#assembly.deadline
  }

  get bytes(): number {
    return this.#assembly.body.length
  }

  decode(): unknown {
    return decodeBody(this.#codecs, this.#assembly.codec, this.#assembly.body, true)
  }
}

/** The code and text of an Error, a Reset or a GoAway. */
export const errorOf = (flags: number, head: HeadReader): RpcError => {
  const code = head.text(head.u8(), 'code')
  const message = head.text(head.u16(), 'message')
  return new RpcError(code === '' ? 'rpc.handler' : code, { message, retryable: (flags & Flag.retryable) !== 0 })
}
