import type { RawStream } from '@rystra/bytes'
import type { DatagramFlow } from '@rystra/plugin'
import { encode, streamReadyFrame } from '@rystra/protocol'
import type { DatagramFlows, StreamLifecycle } from '@rystra/session'

const ready = Buffer.from(streamReadyFrame)
const readyWithFlow = Buffer.from(encode({ type: 'StreamReady', flow: true }))

/** Datagrams beside a stream that the other end of a link has opened. */
export interface OpenedFlow {
  /** Its number. Left out: it has none. */
  readonly number: number | undefined
  readonly flows: DatagramFlows | undefined
}

/**
 * Answers a stream that the other end of a link has opened, and joins it to one to a service. Rejects with what refuses it;
 * nothing was taken from the stream then.
 */
export const relayOpened = async (
  raw: RawStream,
  { number, flows }: OpenedFlow,
  open: (datagrams: boolean) => Promise<StreamLifecycle>
): Promise<void> => {
  const here = number === undefined ? undefined : flows?.accept(number)
  const close = (): void => here?.close()
  let stream: StreamLifecycle
  try {
    stream = await open(number !== undefined)
    if (here !== undefined && stream.flow !== undefined) passDatagrams(here, stream.flow)
    await stream.readyFor(raw)
  } catch (error) {
    close()
    throw error
  }
  const head = here !== undefined && stream.datagrams !== undefined ? readyWithFlow : ready
  raw.write(head, 0, head.length, false)
  stream.join(raw, close)
}

/** Passes datagrams beside the visitor's stream on to those beside that to the service, and back. */
const passDatagrams = (visitor: DatagramFlow, service: DatagramFlow): void => {
  visitor.onMessage = (message) => void service.send(message)
  service.onMessage = (message) => void visitor.send(message)
}
