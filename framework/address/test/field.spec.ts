import { expect } from 'chai'
import { hostText } from '../src/index.js'

describe('a host whose port is an option of its own', () => {
  const accepts = (text: string): boolean => new RegExp(hostText.pattern, 'u').test(text)

  it('is a name or an address of either family', () => {
    for (const text of [
      'localhost',
      'my_db',
      'app.example.org.',
      '127.0.0.1',
      '0.0.0.0',
      '::',
      '::1',
      'fe80::1%eth0',
      '::ffff:192.0.2.1',
      '2001:db8::7:7000',
      'bücher.example'
    ])
      expect(accepts(text), text).to.equal(true)
  })

  it('has no port, no scheme, no brackets and no path', () => {
    for (const text of [
      '',
      'localhost:80',
      '127.0.0.1:9000',
      '[::1]',
      '[::1]:80',
      'tcp://h',
      'h/x',
      'a b',
      'h:',
      ':80',
      'host:80:90'
    ])
      expect(accepts(text), text).to.equal(false)
  })
})
