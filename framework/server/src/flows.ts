import type { DatagramFlow } from '@rystra/plugin'
import type { CountedFlow, Session, StreamRun } from '@rystra/session'
import type { Beside } from './visitor.js'

/** A flow of datagrams, with the number that the client knows it by. */
export interface NumberedFlow extends Beside {
  readonly datagrams: DatagramFlow
}

/** The flows of datagrams of one session. None where its link has no datagrams. */
export class Flows {
  readonly #session: Session
  #last = 0

  constructor(session: Session) {
    this.#session = session
  }

  /** One for a stream to the client: even numbers are the server's. */
  open(): NumberedFlow | undefined {
    const { flows } = this.#session
    if (flows === undefined) return undefined
    this.#last = (this.#last + 2) % 0x1_0000_0000
    const datagrams = flows.open(this.#last)
    return { id: this.#last, datagrams, close: () => datagrams.close() }
  }

  /** Passes the datagrams of a flow that the client chose, for a visit, on to one of the client that is visited, and back. */
  join(id: number, visited: Flows, run: StreamRun): Beside | undefined {
    const here: CountedFlow | undefined = this.#session.flows?.open(id)
    const there = here === undefined ? undefined : visited.open()
    if (here === undefined || there === undefined) {
      here?.close()
      return undefined
    }
    here.onMessage = (message) => void there.datagrams.send(message)
    there.datagrams.onMessage = (message) => void here.send(message)
    run.beside(here, 'toVisitor')
    const close = (): void => {
      here.close()
      there.close()
    }
    return { id: there.id, close }
  }
}
