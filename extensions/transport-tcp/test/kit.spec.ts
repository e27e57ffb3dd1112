import { extensionKit, transportKit } from '@rystra/testkit'
import transportTcp from '../src/index.js'

transportKit({ transport: transportTcp() }, { title: 'transport-tcp as a transport' })

extensionKit({ use: transportTcp() }, { title: 'transport-tcp as an extension' })
