import { memoryTransport, transportKit } from '../src/index.js'

const transport = memoryTransport()

transportKit({ transport: transport() }, { title: 'transport-memory' })
