import type { ChannelDatagrams } from '@rystra/plugin'

type Ends = Pick<ChannelDatagrams, 'send' | 'onMessage'>

/** Passes the datagrams beside one stream on to those beside another, both ways. */
export const joinDatagrams = (one: Ends, other: Ends): void => {
  one.onMessage = (message) => void other.send(message)
  other.onMessage = (message) => void one.send(message)
}
