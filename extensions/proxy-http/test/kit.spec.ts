import { extensionKit } from '@rystra/testkit'
import proxyHttp from '../src/index.js'

extensionKit({ use: proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }] }) }, { title: 'proxy-http as an extension' })
