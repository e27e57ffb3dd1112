import type { Muxer } from '@rystra/plugin'
import { muxerKit, type MuxerSubject } from '../../src/index.js'
import { type MuxFlaw, simpleMuxer } from '../simple-muxer.js'
import { linkMutants, lost } from './link-mutants.js'
import { killsMutants, type Mutant } from './mutant.js'

const subject = (muxer: () => Muxer) => (): MuxerSubject => ({ muxer, maxBuffered: 2_097_152 })
const mutant = (flaw: MuxFlaw, because: RegExp): Mutant<MuxerSubject> => ({
  because,
  subject: subject(() => simpleMuxer(flaw))
})

const shared = Object.entries(linkMutants).map(([name, { because, muxer }]) => [
  name,
  { because, subject: subject(muxer) }
])

killsMutants('muxer', muxerKit, [subject(() => simpleMuxer())], {
  ...Object.fromEntries(shared),
  'carries 0 bytes each way at once': mutant('loses-empty-end', /waiting for the end/),
  'carries 1 bytes each way at once': mutant('loses-one-of-1', lost),
  'carries 15 bytes each way at once': mutant('loses-one-of-15', lost),
  'carries 16384 bytes each way at once': mutant('loses-one-of-16384', lost),
  'carries 65535 bytes each way at once': mutant('loses-one-of-32767', lost),
  'carries 65537 bytes each way at once': mutant('loses-one-of-1', lost),
  'carries 8388608 bytes each way at once': mutant('loses-after-2-MiB', lost),
  'carries bytes that are written in pieces of all sizes': mutant('loses-one-of-1460', lost),
  'hands streams over in the order in which they were opened': mutant('other-order', /streams came in another order/),
  'holds the server back while its peer does not read': mutant('no-window-server', /taken for a reader/),
  'holds the client back while its peer does not read': mutant('no-window-client', /taken for a reader/),
  'carries a stream over links that are split at every byte': mutant('whole-headers-only', /waiting for/),
  'carries a stream over slow links that are split at random': mutant(
    'whole-bodies-only',
    /waiting for|garbage|rules of the muxer|first byte|saw no end|got \d+/
  ),
  'goes on after its links have stood still': mutant('impatient', /saw no end|got \d+ bytes of/),
  'takes over a link that was read from, with what has come already': mutant('forgets-what-came', /waiting for/),
  'closes on garbage, and lets nothing escape': mutant('tolerates-garbage', /waiting for both ends to close on garbage/)
})
