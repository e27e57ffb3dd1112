import type { RawStream } from '@rystra/bytes'
import { type DatagramFlows, joinDatagrams, readyFrame, type StreamLifecycle } from '@rystra/session'

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
    if (here !== undefined && stream.flow !== undefined) joinDatagrams(here, stream.flow)
    await stream.readyFor(raw)
  } catch (error) {
    close()
    throw error
  }
  const head = readyFrame(here !== undefined && stream.datagrams !== undefined)
  raw.write(head, 0, head.length, false)
  stream.join(raw, close)
}
