import { extensionKit, proxyKindKit } from '@rystra/testkit'
import { describe, it } from 'node:test'
import extension from '../src/index.ts'

const spec = (local: string, more = {}) => ({ name: 'service', kind: 'my-word', local, ...more })

// What every kind of proxy must do.
proxyKindKit(
  {
    kind: extension(),
    spec,
    invalid: {
      'no service': { name: 'service', kind: 'my-word' },
      'a port that does not exist': spec('127.0.0.1:8080', { port: 65_536 })
    }
  },
  { runner: { describe, it } }
)

// What every extension must do.
extensionKit({ use: extension() }, { runner: { describe, it } })
