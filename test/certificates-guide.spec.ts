import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { rystraHere as rystra } from '../cli/test/in-process.js'
import { pages } from './markdown.js'
import { commandsOf } from './shell-lines.js'
import { root } from './workspaces.js'

const page = pages().find(({ file }) => file === 'docs/guide/certificates.md')
const blocks = page?.blocks ?? []
const commands = blocks
  .filter(({ language, mark }) => language === 'sh' && mark !== 'no-check')
  .flatMap(commandsOf)
  .map(([program = '', ...args]) => ({ program, args }))

describe('the guide to certificates', () => {
  const cache = path.join(root, 'node_modules/.cache/rystra')
  let dir = ''

  before(() => {
    mkdirSync(cache, { recursive: true })
    dir = mkdtempSync(path.join(cache, 'certificates-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  const run = async (args: readonly string[]): Promise<string> => {
    const { code, out, err } = await rystra(args, { cwd: dir, env: { RYSTRA_TOKEN: 'of the guide' } })
    expect(code, `${args.join(' ')}\n${err}`).to.equal(0)
    return out
  }
  const certificate = (name: string): X509Certificate => new X509Certificate(readFileSync(path.join(dir, name)))

  it('has commands that work one after the other, and configurations that fit what they make', async () => {
    expect(commands.map(({ args: [name] }) => name)).to.include.members([
      'cert:ca',
      'cert:server',
      'cert:client',
      'cert:revoke',
      'cert:show'
    ])
    const upToUse = commands.findIndex(({ args: [name] }) => name === 'cert:show')
    for (const { program, args } of commands.slice(0, upToUse)) {
      expect(program).to.equal('rystra')
      await run(args)
    }
    const first = certificate('certs/server.pem')
    expect(first.checkHost('tunnel.example.org')).to.equal('tunnel.example.org')
    expect(first.checkIP('203.0.113.7')).to.equal('203.0.113.7')

    const configs = blocks.filter(({ language, text }) => language === 'yaml' && /certs\//.test(text))
    expect(configs.map(({ text }) => Object.keys(parse(text) as object))).to.deep.equal([
      ['extensions', 'server'],
      ['extensions', 'client']
    ])
    for (const { text } of configs) {
      writeFileSync(path.join(dir, 'rystra.config.yaml'), text)
      expect(await run(['check'])).to.include('is valid')
    }

    for (const { args } of commands.slice(upToUse)) await run(args)
    const renewed = certificate('certs/server.pem')
    expect(renewed.serialNumber).not.to.equal(first.serialNumber)
    expect(renewed.verify(certificate('ca/ca.pem').publicKey)).to.equal(true)
    const list = JSON.parse(await run(['cert:show', 'ca/crl.pem', '--json'])) as {
      crls: { revoked: { serial: string; reason?: string }[] }[]
    }
    expect(list.crls[0]?.revoked.map(({ serial, reason }) => ({ serial, reason }))).to.deep.equal([
      { serial: certificate('certs/home.pem').serialNumber.toLowerCase(), reason: 'keyCompromise' }
    ])
  })
})
