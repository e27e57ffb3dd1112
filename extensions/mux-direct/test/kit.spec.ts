import { extensionKit, muxerKit } from '@rystra/testkit'
import muxDirect from '../src/index.js'

const reportedBySession = 'going away is reported on the control stream, by the session: the muxer has no word for it'

muxerKit(
  { muxer: muxDirect() },
  {
    title: 'mux-direct as a muxer',
    skip: {
      'lets open streams go on when the server goes away, and opens no more': reportedBySession,
      'lets open streams go on when the client goes away, and opens no more': reportedBySession,
      'closes on garbage, and lets nothing escape':
        'the first link is the control stream: its bytes are for the session, not for the muxer'
    }
  }
)

extensionKit({ use: muxDirect() }, { title: 'mux-direct as an extension' })
