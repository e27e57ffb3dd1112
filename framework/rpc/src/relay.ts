import { pump } from '@rystra/bytes'
import { RystraError, toRystraError } from '@rystra/model'
import type { Channel, ChannelOpener } from '@rystra/plugin'

/** Joins a channel with a new one on another session: bytes and datagrams pass as they are. */
export const relayChannel = (
  channel: Channel,
  target: ChannelOpener,
  details: Readonly<Record<string, unknown>>
): void => {
  const datagrams = channel.datagrams !== undefined
  const gone = new AbortController()
  channel.stream.onClose = () => gone.abort()
  target
    .openChannel(channel.info.name, { details, datagrams, signal: gone.signal })
    .then((other) => join(channel, other))
    .catch((error) => channel.close(toRystraError(error, 'channel.refused')))
}

const join = (channel: Channel, other: Channel): void => {
  if (channel.stream.closed) {
    other.close(new RystraError('stream.reset'))
    return
  }
  void other.accepted.then(() => {
    const [here, there] = [channel.datagrams, other.datagrams]
    if (here === undefined || there === undefined) return
    here.onMessage = (message) => void there.send(message)
    there.onMessage = (message) => void here.send(message)
  })
  pump(channel.stream, other.stream, () => {})
}
