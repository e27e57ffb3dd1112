import { discoveryKit, extensionKit } from '@rystra/testkit'
import { silentLog } from '@rystra/plugin'
import discoveryMdns from '../src/index.js'
import { MdnsDiscovery } from '../src/mdns-discovery.js'
import { wallClock } from './clock.js'
import { openNetwork } from './network.js'

// Cases are listed before they run, so the network is opened here.
const network = await openNetwork()
const discovery = (): MdnsDiscovery => new MdnsDiscovery(network.options, wallClock, silentLog)

discoveryKit({ server: discovery, client: discovery }, { title: `discovery-mdns over ${network.kind}` })

extensionKit(
  {
    use: discoveryMdns({
      announce: [{ name: 'home', transport: 'tls', port: 7000 }],
      interface: '127.0.0.1',
      port: 40_353
    }),
    invalid: {
      'a port of 0': { port: 0 },
      'an interface that is a name': { interface: 'eth0' },
      'an announcement without a port': { announce: [{ name: 'home', transport: 'tls' }] }
    }
  },
  { title: 'discovery-mdns as an extension' }
)

after(() => network.close())
