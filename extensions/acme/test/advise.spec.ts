import { expect } from 'chai'
import { advise } from '../src/advise.js'

const options = { hosts: ['*.example.org'], challenges: ['http-01', 'tls-alpn-01'] } as never
const http = (port: number) => ({ name: 'proxy-http', options: { listen: [{ host: '0.0.0.0', port }] } })
const https = (port: number, more: object = {}) => ({
  name: 'proxy-https',
  options: { listen: [{ host: '0.0.0.0', port }], redirectFrom: [], certificates: [], ...more }
})
const web = (host: string) => ({ name: 'web', kind: 'http', host })

describe('advice about certificates', () => {
  it('is silent where one of the ports is bound, or forwarded', () => {
    for (const extensions of [
      [http(80), https(8443)],
      [http(8080), https(443)],
      [http(8080), https(8443, { publicPort: 443 })],
      [http(8080), https(8443, { redirectFrom: [{ host: '0.0.0.0', port: 80 }] })]
    ]) {
      expect(advise(options, { extensions, proxies: [web('app.example.org')] })).to.deep.equal([])
    }
  })

  it('names the ports that the authority connects to', () => {
    const [found = ''] = advise(options, { extensions: [http(8080), https(8443)], proxies: [] })
    expect(found).to.include('port 80 of proxy-http or port 443 of proxy-https')
    const only = { hosts: ['*.example.org'], challenges: ['tls-alpn-01'] } as never
    expect(advise(only, { extensions: [http(80), https(8443)], proxies: [] })).to.have.length(1)
  })

  it('names hosts that get no certificate', () => {
    const certificates = [{ hosts: ['own.example.net'] }]
    const extensions = [http(80), https(443, { certificates })]
    const proxies = [web('app.example.net'), web('*.wild.example.org'), web('own.example.net'), web('ok.example.org')]
    const found = advise(options, { extensions, proxies })
    expect(found.map((text) => /acme: (\S+)/.exec(text)?.[1])).to.deep.equal(['app.example.net', '*.wild.example.org'])
  })
})
