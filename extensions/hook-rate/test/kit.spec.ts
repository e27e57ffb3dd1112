import { extensionKit } from '@rystra/testkit'
import hookRate from '../src/index.js'

extensionKit(
  {
    use: hookRate({ rules: [{ per: 'visitor', streams: '20/s', bytesToVisitor: '10MB', burst: '1s' }] }),
    invalid: {
      'a rate without a time': { rules: [{ per: 'total', streams: '20' }] },
      'a size that is not valid': { rules: [{ per: 'total', bytesToService: 'much' }] },
      'a rule per nothing known': { rules: [{ per: 'planet', streams: '1/s' }] },
      'a capacity of 0': { capacity: 0 },
      'failures below 0': { authFailures: { after: -1 } }
    }
  },
  { title: 'hook-rate as an extension' }
)
