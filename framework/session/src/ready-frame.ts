import { encode, streamReadyFrame } from '@rystra/protocol'

const plain = Buffer.from(streamReadyFrame)
const withDatagrams = Buffer.from(encode({ type: 'StreamReady', flow: true }))

/** The frame that accepts a stream, with or without datagrams beside it. Shared by all streams: not to be changed. */
export const readyFrame = (datagrams = false): Buffer => (datagrams ? withDatagrams : plain)
