import { Agent, type ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'

/** Puts each request on the stream that was chosen for it, in its option `stream`, and never opens a connection. */
export class StreamAgent extends Agent {
  addRequest(request: ClientRequest & { onSocket(stream: Duplex): void }, { stream }: { stream: Duplex }): void {
    request.onSocket(stream)
  }
}
