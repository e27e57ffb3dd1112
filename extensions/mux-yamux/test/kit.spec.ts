import { muxerKit } from '@rystra/testkit'
import yamux from '../src/index.js'

muxerKit({ muxer: yamux() })
