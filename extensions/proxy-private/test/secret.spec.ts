import { type Logger, type RystraError, silentLog } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Secret, type SecretFields } from '../src/secret.js'

const long = 'a secret of some length'

describe('a secret', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-private-'))
  const secretFile = path.join(dir, 'secret')
  const clock = new FakeClock()
  const make = (fields: SecretFields, name = 'db', log = silentLog): Secret => new Secret(fields, name, clock, log)

  after(() => rmSync(dir, { recursive: true }))

  it('gives one key for one name, and is there at once from the second time on', async () => {
    const secret = make({ secret: long })
    const both = [secret.key, secret.key]
    expect(both[0]).to.be.instanceOf(Promise)
    expect(both[0]).to.equal(both[1])
    const key = await both[0]
    expect(key).to.have.length(32)
    expect(secret.key).to.equal(key)
    expect(await make({ secret: long }).key).to.deep.equal(key)
    expect(await make({ secret: long }, 'dc').key).to.not.deep.equal(key)
    expect(await make({ secret: `${long}.` }).key).to.not.deep.equal(key)
  })

  it('is read from its file again when that has changed, and stays when it cannot be read', async () => {
    writeFileSync(secretFile, ` ${long}\n`, { mode: 0o600 })
    const said: string[] = []
    const log: Logger = { ...silentLog, warn: (...words: unknown[]) => void said.push(String(words.at(-1))) }
    const secret = make({ secretFile }, 'db', log)
    const key = await secret.key
    expect(key).to.deep.equal(await make({ secret: long }).key)
    expect(secret.key).to.equal(key)
    writeFileSync(secretFile, `${long}, and longer`)
    expect(secret.key, 'within a second').to.equal(key)
    clock.advance(1000)
    const next = await secret.key
    expect(next).to.deep.equal(await make({ secret: `${long}, and longer` }).key)
    rmSync(secretFile)
    clock.advance(1000)
    expect(said).to.deep.equal([])
    expect(await secret.key).to.equal(next)
    expect(said).to.deep.equal(['keeping the previous secret'])
  })

  it('is refused when it is blank or not there, and warned of when it is short', async () => {
    const blank = path.join(dir, 'blank')
    writeFileSync(blank, ' \n', { mode: 0o600 })
    for (const fields of [{ secretFile: blank }, { secretFile: path.join(dir, 'none') }, { secret: ' ' }]) {
      const error: unknown = await (async () => make(fields).key)().catch((thrown: unknown) => thrown)
      expect((error as RystraError).code).to.equal('proxy.invalid')
      expect((error as RystraError).message).to.not.include(dir)
    }
    const said: string[] = []
    await make({ secret: 'short' }, 'db', { ...silentLog, warn: (text: unknown) => void said.push(String(text)) }).key
    expect(said.join()).to.include('shorter than 16').and.not.include('short,')
  })
})
