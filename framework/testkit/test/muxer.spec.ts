import { muxerKit } from '../src/index.js'
import { simpleMuxer } from './simple-muxer.js'

muxerKit({ muxer: () => simpleMuxer(), maxBuffered: 2_097_152 }, { title: 'a simple muxer' })
