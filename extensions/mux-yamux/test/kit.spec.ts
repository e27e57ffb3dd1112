import { extensionKit, muxerKit } from '@rystra/testkit'
import muxYamux from '../src/index.js'

muxerKit({ muxer: muxYamux() }, { title: 'mux-yamux as a muxer' })

extensionKit({ use: muxYamux() }, { title: 'mux-yamux as an extension' })
