import { extensionKit } from '@rystra/testkit'
import otel from '../src/index.js'

extensionKit(
  { use: otel({ requests: true }), invalid: { 'an unknown way with visitors': { visitors: 'ignore' } } },
  { title: 'observe-otel as an extension' }
)
