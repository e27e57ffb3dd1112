import { expect } from 'chai'
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accepted, challenge, prove, setUp, verify } from './setup.js'

const good = 'correct horse battery staple'
const other = 'another token of good length'
const setUpServer = (tokens: { identity: string; token?: string; file?: string }[]) => setUp('server', { tokens })

describe('setting up auth-token', () => {
  it('warns of tokens that can be guessed, and does not show them', () => {
    for (const { warnings } of [
      setUpServer([{ identity: 'home', token: 'short' }]),
      setUp('client', { token: 'short' })
    ]) {
      expect(warnings.join())
        .to.match(/shorter than 16/)
        .and.not.include('short,')
    }
    expect(setUpServer([{ identity: 'home', token: '0123456789abcdef' }]).warnings).to.deep.equal([])
  })

  it('refuses the same token twice, and names both places', () => {
    const twice = () =>
      setUpServer(['a', 'b', 'c'].map((identity) => ({ identity, token: identity === 'b' ? other : good })))
    expect(twice)
      .to.throw(/tokens\[2\]: same token as tokens\[0\]/)
      .with.property('code', 'extension.options')
    expect(twice).to.not.throw(new RegExp(good))
  })

  it('refuses blank tokens, and entries with none or two sources', () => {
    expect(() => setUpServer([{ identity: 'home', token: '' }])).to.throw(/tokens\[0\]: empty token/)
    expect(() => setUpServer([{ identity: 'home', token: ' \n' }])).to.throw(/tokens\[0\]: empty token/)
    expect(() => setUpServer([{ identity: 'home' }])).to.throw(/exactly one of token and file/)
    expect(() => setUpServer([{ identity: 'home', token: good, file: 'x' }])).to.throw(/exactly one of token and file/)
    expect(() => setUp('client', { token: '  ' })).to.throw(/token: empty token/)
  })

  it('refuses every peer on a server without tokens, and says so', () => {
    for (const options of [{}, { tokens: [] }, { tokens: [], token: good }]) {
      const server = setUp('server', options)
      expect(server.authenticator.verify, 'there is nothing to check against').to.equal(undefined)
      expect(server.warnings.join()).to.match(/clients cannot authenticate/)
    }
  })

  it('offers nothing on a client without a token', () => {
    const client = setUp('client', { tokens: [{ identity: 'home', token: good }] })
    expect(client.authenticator.prove).to.equal(undefined)
    expect(client.authenticator.verify).to.equal(undefined)
  })
})

describe('token files', () => {
  let dir = ''
  const path = (name: string): string => join(dir, name)
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(path(`${name}.new`), text, { mode: 0o600 })
    await rename(path(`${name}.new`), path(name))
  }
  const admits = async (server: ReturnType<typeof setUp>, token: string): Promise<boolean> => {
    const answer = await verify(server, (await prove(setUp('client', { token }), challenge())).proof, challenge())
    return !('deny' in answer)
  }
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rystra-token-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  it('are read at start on both ends, without the white space around', async () => {
    await write('token', `  ${good}\n`)
    const [server, client] = [
      setUpServer([{ identity: 'home', file: path('token') }]),
      setUp('client', { file: path('token') })
    ]
    await server.start?.()
    await client.start?.()
    const { proof } = await prove(client, challenge())
    expect(accepted(await verify(server, proof, challenge())).identity.id).to.equal('home')
    expect(await admits(server, good)).to.equal(true)
    expect([...server.warnings, ...client.warnings]).to.deep.equal([])
  })

  it('have paths that start at the folder of the configuration', async () => {
    await write('token', good)
    const server = setUp('server', { tokens: [{ identity: 'home', file: 'token' }] }, dir)
    const client = setUp('client', { file: './token' }, dir)
    await server.start?.()
    await client.start?.()
    const { proof } = await prove(client, challenge())
    expect(accepted(await verify(server, proof, challenge())).identity.id).to.equal('home')
  })

  it('in another encoding, of several lines, or with a character that cannot be seen, are refused with the reason', async () => {
    for (const [bytes, reason] of [
      [Buffer.from(`\uFEFF${good}`, 'utf16le'), 'it is UTF-16; save it as UTF-8'],
      [`${good}\n# of the office\n`, 'it has several lines, and one is expected'],
      [`${good.slice(0, 9)}\u200b${good.slice(9)}`, 'it holds a character that cannot be seen (U+200B)'],
      [`\u201c${good}\u201d`, 'it is within typographic quotes']
    ] as const) {
      await writeFile(path('odd'), bytes)
      const error = await Promise.resolve(setUp('client', { file: path('odd') }).start?.()).then(
        () => undefined,
        (thrown: Error) => thrown
      )
      expect(error).to.have.property('code', 'extension.options')
      expect(error?.message).to.include(`file: ${path('odd')}: ${reason}`)
    }
  })

  it('that are missing or blank fail the start', async () => {
    await write('blank', '\n')
    for (const [name, reason] of [
      ['missing', /ENOENT/],
      ['blank', /(tokens\[0\]|file): .*blank: empty token/]
    ] as const) {
      for (const it of [setUpServer([{ identity: 'home', file: path(name) }]), setUp('client', { file: path(name) })]) {
        const error = await Promise.resolve(it.start?.()).then(
          () => undefined,
          (thrown: Error) => thrown
        )
        expect(error).to.have.property('code', 'extension.options')
        expect(error?.message).to.match(reason)
      }
    }
  })

  it('with the same token fail the start', async () => {
    await write('token', good)
    const server = setUpServer([
      { identity: 'a', token: good },
      { identity: 'b', file: path('token') }
    ])
    const error = await Promise.resolve(server.start?.()).then(
      () => undefined,
      (thrown: Error) => thrown
    )
    expect(error?.message).to.match(/tokens\[1\]: same token as tokens\[0\]/)
  })

  it('that changed count from the next second on a server, and from the next session on a client', async () => {
    await write('token', good)
    const [server, client] = [
      setUpServer([{ identity: 'home', file: path('token') }]),
      setUp('client', { file: path('token') })
    ]
    await server.start?.()
    await client.start?.()
    await write('token', other)
    expect(await admits(server, good), 'files are looked at once a second').to.equal(true)
    server.clock.time += 1000
    expect(await admits(server, good), 'the old token').to.equal(false)
    accepted(await verify(server, (await prove(client, challenge())).proof, challenge()))
  })

  it('that break later leave what was read before, and say so', async () => {
    await write('token', good)
    await write('second', 'the second token of this server')
    const files = ['token', 'second'].map((identity) => ({ identity, file: path(identity) }))
    const [server, client] = [setUpServer(files), setUp('client', { file: path('token') })]
    await server.start?.()
    await client.start?.()
    await rm(path('token'))
    await write('second', other)
    server.clock.time += 1000
    expect(await admits(server, good)).to.equal(true)
    expect(await admits(server, other), 'the change of the file that is well').to.equal(true)
    expect(server.warnings.join()).to.match(/keeping the previous token: .*ENOENT/)
    accepted(await verify(server, (await prove(client, challenge())).proof, challenge()))
    expect(client.warnings.join()).to.match(/keeping the previous token/)
  })

  it('that others may read are pointed out', async function () {
    if (process.platform === 'win32') this.skip()
    await write('token', good)
    await chmod(path('token'), 0o644)
    const server = setUpServer([{ identity: 'home', file: path('token') }])
    await server.start?.()
    expect(server.warnings.join()).to.match(/set its mode to 600/)
  })
})
