import { RystraError } from '@rystra/model'
import type { OpenedStream } from '@rystra/plugin'
import type { StreamLifecycle } from './stream-lifecycle.js'

/** Opens a stream for a kind that does not relay byte by byte: resolves when the service is reached. */
export const openDuplex = async (
  stream: StreamLifecycle,
  open: () => Promise<boolean>,
  signal: AbortSignal | undefined
): Promise<OpenedStream> => {
  const { info } = stream
  const abort = (): void => stream.close(new RystraError('stream.reset', { side: info.side, detail: 'given up' }))
  if (signal?.aborted === true) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  try {
    const bound = await open()
    await stream.ready()
    const { datagrams } = stream
    return { stream: stream.stream.duplex, info, bound, ...(datagrams === undefined ? {} : { datagrams }) }
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}
