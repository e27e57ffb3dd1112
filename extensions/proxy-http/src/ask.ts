import type { HeaderField } from '@rystra/plugin'
import type { Duplex, Readable, Writable } from 'node:stream'

/** A request as it goes to a service. */
export interface Question {
  readonly method: string
  /** Path and query, or `*`. */
  readonly target: string
  /** Without Host and what frames the message. */
  readonly headers: readonly HeaderField[]
  readonly authority: string
  readonly secure: boolean
  readonly hasBody: boolean
  /** Bytes of the body, if that was said. */
  readonly length: number | undefined
  /** Fields of the visitor about the message that the service is told in its own way. */
  readonly expect: boolean
  readonly wantsTrailers: boolean
  readonly upgrade: string | undefined
}

/** The head of an answer, and its body. */
export interface Answer {
  readonly status: number
  readonly message: string
  /** Names and values in turns. */
  readonly raw: readonly string[]
  readonly connection: string | undefined
  /** Whether trailers may come. */
  readonly trailer: string | undefined
  readonly length: string | undefined
  readonly body: Readable
  /** Known when the body has ended. */
  trailers(): readonly string[]
}

/** What becomes of a question. */
export interface Listener {
  onContinue(): void
  onInformation(status: number, fields: readonly HeaderField[]): void
  onAnswer(answer: Answer): void
  onUpgrade(answer: Answer, stream: Duplex, head: Buffer): void
  /** Once; nothing follows. Before the answer, or while its body comes. */
  onFailure(error: Error, done?: Done): void
}

/** What a service has done about a question that failed: nothing for sure, or, since the connection is lost, nobody knows what. */
export type Done = 'untouched' | 'lost'

/** A question that was put to a service. */
export interface Asked {
  /** Takes the body of the request. */
  readonly body: Writable
  /** The body is over. */
  end(trailers: readonly HeaderField[]): void
  /** Nobody wants the answer any more. */
  abort(): void
}
