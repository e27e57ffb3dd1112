import { pump, type RawStream } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { joinDatagrams } from './join-datagrams.js'
import { readyFrame } from './ready-frame.js'
import type { CountedFlow } from './datagram-flows.js'
import type { OutgoingStream } from './outgoing-stream.js'

/**
 * Answers a channel with what another end answers, and joins both: no byte of it is looked at. Resolves when it is over.
 * Rejects with what refuses it; nothing was taken from the stream then.
 *
 * @param flow datagrams beside it, on the link that it came on
 */
export const passChannel = async (
  raw: RawStream,
  flow: CountedFlow | undefined,
  open: (datagrams: boolean) => Promise<OutgoingStream>
): Promise<void> => {
  try {
    const stream = await open(flow !== undefined)
    raw.onClose = () => stream.reset()
    if (raw.closed) stream.reset()
    if (flow !== undefined && stream.flow !== undefined) joinDatagrams(flow, stream.flow)
    await stream.ready()
    if (raw.closed) throw new RystraError('stream.reset')
    const head = readyFrame(stream.hasDatagrams)
    raw.write(head, 0, head.length, false)
    await new Promise<void>((resolve) => {
      pump(raw, stream, () => resolve())
    })
  } finally {
    flow?.close()
  }
}
