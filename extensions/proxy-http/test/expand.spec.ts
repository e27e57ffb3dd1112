import { isRystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Credentials, hashOf } from '../src/credentials.js'
import { complete } from '../src/expand.js'
import { forwardedFields } from '../src/forwarded.js'
import type { HttpSpec } from '../src/spec.js'

const spec = (fields: object): HttpSpec => ({ name: 'web', kind: 'http', local: 80, ...fields }) as HttpSpec

describe('an http proxy, before it is sent', () => {
  it('has the name of the proxy for a subdomain, unless it says something else', () => {
    expect(complete(spec({ name: 'Web-1' }), '.').subdomain).to.equal('web-1')
    expect(complete(spec({ host: 'a.test' }), '.').subdomain).to.equal(undefined)
    expect(complete(spec({ host: 'Bücher.Test.' }), '.').host).to.deep.equal(['xn--bcher-kva.test'])
    expect(complete(spec({ host: ['*.a.test', 'a.test'] }), '.').host).to.deep.equal(['*.a.test', 'a.test'])
  })

  it('is refused when it cannot be', () => {
    for (const fields of [
      { name: 'no label' },
      { host: 'a..test' },
      { host: '*.' },
      { stripPrefix: true },
      { local: 'h:0' },
      { local: 'h:65536' },
      { requestHeaders: { set: { Host: 'x' } } },
      { requestHeaders: { add: { 'content-length': '1' } } },
      { responseHeaders: { remove: ['Transfer-Encoding'] } },
      { basicAuth: { user: 'a' } },
      { basicAuth: { user: 'a', password: 'b', hash: 'c' } },
      { errorPages: { '502': 'no such file' } },
      { h2: true, proxyProtocol: 'v2' }
    ]) {
      try {
        complete(spec(fields), '.')
      } catch (error) {
        expect(isRystraError(error) && error.code, JSON.stringify(fields)).to.equal('proxy.invalid')
        continue
      }
      expect.fail(`taken: ${JSON.stringify(fields)}`)
    }
  })

  it('sends hashes and pages, no passwords and no paths', () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'rystra-http-'))
    try {
      writeFileSync(path.join(dir, 'down.html'), '<p>down')
      const sent = complete(
        spec({ basicAuth: { user: 'ann', password: 'secret' }, errorPages: { '5xx': 'down.html' } }),
        dir
      )
      expect(sent.basicAuth).to.deep.equal([{ user: 'ann', hash: hashOf('ann', 'secret') }])
      expect(JSON.stringify(sent)).to.not.include('secret').and.not.include('down.html')
      expect(sent.errorPages).to.deep.equal({ '5xx': '<p>down' })
      expect(complete(sent, dir)).to.deep.equal(sent)
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('accepts by the hash alone', () => {
    const known = new Credentials([{ user: 'ann', hash: hashOf('ann', 'secret') }])
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
    expect(known.admit(basic('ann:secret'))).to.equal(true)
    for (const wrong of [
      undefined,
      '',
      'Basic',
      basic('bob:secret'),
      basic('ann:'),
      basic('annsecret'),
      `Basic ${'A'.repeat(5000)}`
    ]) {
      expect(known.admit(wrong), wrong?.slice(0, 20)).to.equal(false)
    }
  })
})

describe('the forwarding headers', () => {
  it('have the syntax of RFC 7239', () => {
    const [, , , element] = forwardedFields('2001:db8::1', 'a.test:8080', true)
    expect(element).to.deep.equal(['Forwarded', 'for="[2001:db8::1]";host="a.test:8080";proto=https'])
  })
})
