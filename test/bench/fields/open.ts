import { untilEchoes } from '../address.js'
import type { Field } from '../field.js'
import { opening } from '../peers/rystra.js'
import { bulk } from './streams.js'

const ways = (muxer: string) => [
  opening(`relay-${muxer}`, 'tcp', muxer),
  opening(`pump-${muxer}`, 'open-pump', muxer),
  opening(`pipe-${muxer}`, 'open-pipe', muxer)
]

const [relay, ...others] = ways('direct')

/** What a stream costs that a kind opens by `openStream` and joins itself, beside one that is relayed. */
export const open: Field = {
  name: 'open',
  measures: ['open'],
  baseline: relay as Field['baseline'],
  own: [...others, ...ways('yamux')],
  others: [],
  open: (load) => load.service.call<number>('listen'),
  ready: (address, _way, _load, signal) => untilEchoes(address, signal),
  once: bulk
}
