import { extensionKit, muxerKit } from '@rystra/testkit'
import muxDirect from '../src/index.js'

const toldBySession = 'going away is told on the control stream, by the session: the muxer has no word for it'

muxerKit(
  { muxer: muxDirect() },
  {
    title: 'mux-direct as a muxer',
    skip: {
      'lets open streams go on when the server goes away, and opens no more': toldBySession,
      'lets open streams go on when the client goes away, and opens no more': toldBySession,
      'closes on garbage, and lets nothing escape':
        'the first link is the control stream: its bytes are for the session, not for the muxer'
    }
  }
)

extensionKit({ use: muxDirect() }, { title: 'mux-direct as an extension' })
