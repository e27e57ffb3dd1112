import type { WhyView } from '@rystra/admin-http'
import { expect } from 'chai'
import type { AdminApi } from '../src/admin/admin-api.js'
import { dnsStep, why, whyText } from '../src/admin/why.js'

const view: WhyView = {
  side: 'server',
  target: { scheme: 'https', host: 'app.example.org', port: 443, path: '/' },
  reaches: true,
  steps: [
    { stage: 'listener', outcome: 'ok', text: 'The kind https listens.' },
    { stage: 'taps', outcome: 'fail', text: 'hook-acl refuses\u001b[2J it.', hint: 'change it' }
  ],
  proxies: [],
  taps: [
    {
      hook: 'onOpenStream',
      extension: 'hook-acl',
      stage: -100,
      calls: 3,
      errors: 1,
      answer: 'refuses',
      reason: 'denied'
    }
  ],
  refusals: [{ time: 0, subject: '203.0.113.9:1', code: 'stream.refused', message: 'no' }]
}

const api = (paths: string[]): AdminApi =>
  ({ request: (path: string) => Promise.resolve(paths.push(path) > 0 ? view : undefined) }) as never

describe('rystra why', () => {
  it('looks the name up, and does not get through where it has no address', async () => {
    const paths: string[] = []
    const missing = (): Promise<never> => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))
    const found = () => Promise.resolve([{ address: '192.0.2.1' }, { address: '192.0.2.1' }])
    const good = await why(api(paths), 'https://app.example.org', { from: '203.0.113.9', probe: true }, found)
    expect(good.reaches).equal(true)
    expect(good.steps[0]?.text).equal('app.example.org has the address 192.0.2.1.')
    expect(paths).deep.equal(['/v1/why?target=https%3A%2F%2Fapp.example.org&probe=true&from=203.0.113.9'])
    const bad = await why(api(paths), 'https://app.example.org', { probe: false }, missing)
    expect(bad.reaches).equal(false)
    expect(bad.steps[0]).deep.include({ stage: 'dns', outcome: 'fail' })
    expect(bad.steps[0]?.text).include('ENOTFOUND')
    expect(await dnsStep('192.0.2.1', missing)).equal(undefined)
    expect(await dnsStep('app.localhost', missing)).include({ outcome: 'ok' })
    expect(await dnsStep('applocalhost', missing)).include({ outcome: 'fail' })
  })

  it('writes each step with its hint, the taps and past refusals, without control characters', () => {
    expect(whyText({ ...view, reaches: false })).equal(
      [
        'ok   listener The kind https listens.',
        'FAIL taps     hook-acl refuses\ufffd[2J it.',
        '              → change it',
        '    onOpenStream  hook-acl           refuses: denied (3 calls, 1 errors)',
        'Refused lately:',
        '    1970-01-01T00:00:00.000Z  203.0.113.9:1  no',
        'A visitor does not get through: it ends at taps.'
      ].join('\n')
    )
    expect(whyText(view)).match(/A visitor gets through\.$/)
  })
})
