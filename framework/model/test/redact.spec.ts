import { expect } from 'chai'
import { isSecretAt, isSecretName, redactBy, redacted, secretTexts } from '../src/index.js'

const secret = { type: 'string', secret: true }
const schema = {
  type: 'object',
  properties: {
    pin: secret,
    keyFile: { type: 'string', secret: false },
    accounts: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, phrase: secret } } },
    source: { anyOf: [{ type: 'string' }, { type: 'object', properties: { code: secret } }] },
    byName: { type: 'object', patternProperties: { '.*': secret } },
    whole: { type: 'object', secret: true }
  }
}
const value = {
  pin: 'pin-of-eight',
  keyFile: '/etc/key.pem',
  token: 'unmarked token',
  accounts: [{ name: 'home', phrase: 'open sesame' }],
  source: { code: 'code of the source' },
  byName: { a: 'secret of a name' },
  whole: { deep: ['the whole is one'] },
  url: 'http://user:pass@host/'
}

describe('secrets in options', () => {
  it('are left out where the schema says so, at any depth, and else by their names', () => {
    expect(redactBy(schema, value)).to.deep.equal({
      pin: redacted,
      keyFile: '/etc/key.pem',
      token: redacted,
      accounts: [{ name: 'home', phrase: redacted }],
      source: { code: redacted },
      byName: { a: redacted },
      whole: { deep: [redacted] },
      url: `http://${redacted}@host/`
    })
    expect(redactBy(undefined, { pin: '1', token: 'x' })).to.deep.equal({ pin: '1', token: redacted })
    expect(redactBy(schema, 'no object')).to.equal('no object')
  })

  it('are known by their path', () => {
    const paths = [['pin'], ['accounts', '0', 'phrase'], ['source', 'code'], ['byName', 'x'], ['token'], ['whole', 'a']]
    for (const path of paths) expect(isSecretAt(schema, path), path.join('.')).to.equal(true)
    for (const path of [['keyFile'], ['accounts', '0', 'name'], []]) expect(isSecretAt(schema, path)).to.equal(false)
  })

  it('are listed for a log, those that are long enough not to be parts of words', () => {
    expect(secretTexts(schema, value)).to.have.members([
      'pin-of-eight',
      'open sesame',
      'code of the source',
      'secret of a name',
      'the whole is one'
    ])
    expect(secretTexts(schema, { ...value, pin: '1234' })).to.not.include('1234')
  })
})

describe('a name', () => {
  it('is that of a secret by what it contains, or as a whole', () => {
    const names = ['apiToken', 'client_secret', 'passwd', 'passPhrase', 'privateKey', 'auth', 'psk', 'Set-Cookie']
    expect(names.filter((name) => !isSecretName(name))).to.deep.equal([])
    expect(['author', 'basicAuth', 'user', 'host', 'private'].filter(isSecretName)).to.deep.equal([])
  })
})
