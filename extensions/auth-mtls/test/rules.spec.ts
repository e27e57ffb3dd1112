import { expect } from 'chai'
import { authority, certificate } from './made.js'
import { challenge, outcome, peerWith, ready } from './setup.js'

const ca = authority()
const laptop = certificate(ca, {
  subject: [
    ['O', 'Example'],
    ['OU', 'it'],
    ['OU', 'ops'],
    ['CN', 'laptop']
  ],
  names: ['email:Anna@Example.ORG', 'dns:Laptop.Example.org', 'uri:spiffe://example.org/ns/home/sa/web', 'dns:b.test'],
  serial: '00e1'
})
const fingerprint = ready({ rules: [{ id: '{fingerprint}' }] }).answerTo(laptop)

describe('rules of auth-mtls', () => {
  for (const [what, rule, id] of [
    ['any certificate', { id: 'a peer' }, 'a peer'],
    ['a subject', { subject: { CN: 'laptop', O: 'Ex*' }, id: '{subject.O}/{subject.CN}' }, 'Example/laptop'],
    ['one of several values', { subject: { OU: 'o*' }, id: '{subject.OU}' }, 'ops'],
    ['an address, its host without case', { san: 'email:*@EXAMPLE.org', id: '{san.email}' }, 'Anna@example.org'],
    ['a dns name, without case', { san: 'dns:*.EXAMPLE.org', id: '{san.dns}' }, 'laptop.example.org'],
    ['a uri', { san: 'uri:spiffe://example.org/ns/home/*', id: '{san.uri}' }, 'spiffe://example.org/ns/home/sa/web'],
    ['a serial number', { id: 'serial {serial}' }, 'serial e1']
  ] as const) {
    it(`find ${what}`, async () => {
      expect(await outcome(ready({ rules: [rule] }), laptop)).to.equal(id)
    })
  }

  it('find a fingerprint, however it is written', async () => {
    const answer = await fingerprint
    if ('deny' in answer) throw new Error(answer.deny)
    const plain = answer.identity.id
    expect(plain).to.match(/^[0-9a-f]{64}$/)
    const colons = plain.toUpperCase().replace(/..(?=.)/g, '$&:')
    for (const written of [plain, `sha256:${plain}`, colons, `sha256:${colons}`]) {
      expect(await outcome(ready({ rules: [{ fingerprint: written, id: 'pinned' }] }), laptop)).to.equal('pinned')
    }
    const other = plain.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))
    expect(await outcome(ready({ rules: [{ fingerprint: other, id: 'pinned' }] }), laptop)).to.match(/no rule matches/)
  })

  it('do not fit when one condition does not', async () => {
    for (const rule of [
      { subject: { CN: 'lapto' } },
      { subject: { CN: 'laptop', O: 'Other' } },
      { subject: { CN: 'LAPTOP' } },
      { subject: { L: '*' } },
      { san: 'email:anna@example.org' },
      { san: 'dns:anna@example.org' },
      { san: 'uri:spiffe://example.org/ns/other/*' },
      { subject: { CN: 'laptop' }, san: 'dns:*.example.com' }
    ]) {
      const server = ready({ rules: [{ ...rule, id: 'x' }] })
      expect(await outcome(server, laptop), JSON.stringify(rule)).to.match(
        /^refused: certificate sha256:[0-9a-f]{64}: no rule matches$/
      )
    }
  })

  it('are tried in their order, and the first decides', async () => {
    const rules = [
      { subject: { CN: 'other' }, id: 'one' },
      { subject: { L: '*' }, id: 'two' },
      // a certificate without what an id is made of is not valid for the rule
      { id: '{subject.UID}' },
      { subject: { CN: 'lap*' }, id: 'three', rights: { kinds: ['tcp'] } },
      { id: 'four' }
    ]
    const server = ready({ rules })
    const answer = await server.answerTo(laptop)
    expect(answer).to.deep.equal({ identity: { id: 'three', rights: { kinds: ['tcp'] } } })
  })

  it('make no id of a value that could be another one', async () => {
    expect(await outcome(ready({ rules: [{ id: '{subject.OU}' }] }), laptop)).to.match(/several values of subject\.OU/)
    expect(await outcome(ready({ rules: [{ id: '{san.dns}' }] }), laptop)).to.match(/several values of san\.dns/)
    expect(await outcome(ready({ rules: [{ san: 'dns:b.*', id: '{san.dns}' }] }), laptop)).to.equal('b.test')
  })

  it('make no id that a log cannot show', async () => {
    const server = ready({ rules: [{ id: '{subject.CN}' }] })
    for (const name of ['a\nb', 'a\0b', '\u001b[31m', '\u202eabc', 'x'.repeat(129)]) {
      const shown = certificate(ca, { subject: [['CN', name]] })
      expect(await outcome(server, shown)).to.match(/^refused: .* identity from rules\[0\]\.id/)
    }
    expect(await outcome(server, certificate(ca, { subject: [['CN', 'münchen']] }))).to.equal('münchen')
  })

  it('see no name in bytes that its type does not allow', async () => {
    const shown = certificate(ca, { names: ['email:a@example.org\xff', 'ip:\x7f\0\0\x01'] })
    expect(await outcome(ready({ rules: [{ san: 'email:*', id: 'x' }] }), shown)).to.match(/no rule matches/)
  })

  it('are not fooled by a NUL in a name', async () => {
    const shown = certificate(ca, { names: ['dns:a.example.org\0.evil.test'] })
    expect(await outcome(ready({ rules: [{ san: 'dns:a.example.org', id: 'x' }] }), shown)).to.match(/no rule matches/)
  })

  it('are refused at set-up when an id cannot be made', () => {
    for (const id of ['{subject.XN}', '{}', '{san.ip}', '{subject.CN', 'a}', '${subject.CN}{{']) {
      expect(() => ready({ rules: [{ id }] }), id)
        .to.throw(/rules\[0\]\.id/)
        .with.property('code', 'extension.options')
    }
  })
})

describe('auth-mtls', () => {
  const rules = [{ id: '{subject.CN}' }]

  it('does not fit links without what it needs', () => {
    const server = ready({ rules }).authenticator
    const client = ready({}, { role: 'client' }).authenticator
    const plain = { address: '192.0.2.1', port: 1 }
    expect(server.unfit?.(plain)).to.match(/no verified certificate/)
    expect(server.unfit?.(peerWith())).to.match(/no verified certificate/)
    expect(server.unfit?.(peerWith(laptop.der))).to.equal(undefined)
    expect(client.unfit?.(plain)).to.match(/no TLS/)
    expect(client.unfit?.(peerWith())).to.equal(undefined)
  })

  it('refuses a peer without a certificate', async () => {
    const { verify } = ready({ rules }).authenticator
    const { proof } = (await ready({}, { role: 'client' }).authenticator.prove?.(challenge(), peerWith())) ?? {}
    for (const peer of [peerWith(), { address: 'x', port: 0 }]) {
      expect(await verify?.(proof as Uint8Array, challenge(), peer)).to.have.property('deny')
    }
  })

  it('refuses certificates that have expired or are not valid yet', async () => {
    const server = ready({ rules })
    expect(await outcome(server, laptop)).to.equal('laptop')
    server.clock.advance(86_400_001)
    expect(await outcome(server, laptop)).to.match(/has expired$/)
    server.clock.advance(-2 * 86_400_002)
    expect(await outcome(server, laptop)).to.match(/is not valid yet$/)
  })

  it('refuses bytes that are no certificate', async () => {
    const server = ready({ rules })
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(64, 0x30), laptop.der.subarray(0, 200)]) {
      expect(await outcome(server, bytes)).to.match(/^refused: malformed certificate/)
    }
  })

  it('admits no peer without rules, and says so', () => {
    const server = ready({ revoked: ['01'] })
    expect(server.authenticator.verify).to.equal(undefined)
    expect(server.warnings().join()).to.match(/clients cannot authenticate/)
  })
})
