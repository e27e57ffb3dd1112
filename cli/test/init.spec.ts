import { expect } from 'chai'
import { loadConfig } from '@rystra/config'
import { isRystraError } from '@rystra/model'
import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseEnv } from 'node:util'
import { checkConfig } from '../src/check.js'
import { assume, type Said } from '../src/init/ask.js'
import { formats, roles } from '../src/init/plan.js'
import { writeProject } from '../src/init/write.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, snapshot, write } from './folder.js'

const init = (dir: string, said: Said = {}, force = false) => {
  const { plan, token } = assume(said)
  return writeProject(dir, plan, { token, force })
}

const refused = async (act: Promise<unknown>, detail: RegExp): Promise<void> => {
  try {
    await act
  } catch (error) {
    expect(isRystraError(error) && error.code).to.equal('usage.invalid')
    expect((error as Error).message).to.match(detail)
    return
  }
  expect.fail('it was done')
}

const read = (dir: string, name: string): string => readFileSync(join(dir, name), 'utf8')

describe('init', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  for (const role of roles) {
    it(`${role}: the configuration says the same in every format, and is valid with everything set up`, async () => {
      const seen: unknown[] = []
      for (const format of formats) {
        const dir = folders.make({ '.env': 'RYSTRA_TOKEN=same\n' })
        const { config } = await init(dir, { role, format })
        expect(config).to.equal(`rystra.config.${format}`)
        // `import … from 'rystra'` is a type and the identity: without npm install, the plain object has to do.
        if (format === 'ts')
          write(dir, { [config]: read(dir, config).replace(/import .*\n/, 'const defineConfig = (c) => c\n') })
        const { config: loaded } = await loadConfig({ cwd: dir, env: {} })
        seen.push({ ...loaded, client: loaded.client === undefined ? undefined : { ...loaded.client, id: 'any' } })
        const checked = await checkConfig(dir)
        expect(checked.sides.map(({ side }) => side)).to.deep.equal(role === 'both' ? ['server', 'client'] : [role])
      }
      for (const other of seen) expect(other).to.deep.equal(seen[0])
    })
  }

  it('the token is fresh, private, and out of git', async () => {
    const [one, two] = [folders.make(), folders.make()]
    await init(one)
    await init(two)
    const tokens = [one, two].map((dir) => parseEnv(read(dir, '.env'))['RYSTRA_TOKEN'])
    expect(tokens[0]).to.match(/^[\w][\w-]{42}$/)
    expect(tokens[0]).not.to.equal(tokens[1])
    expect(statSync(join(one, '.env')).mode & 0o777).to.equal(0o600)
    expect(read(one, '.gitignore').split('\n')).to.include.members(['.env', 'node_modules/'])
    for (const name of ['rystra.config.yaml', 'README.md', 'package.json'])
      expect(read(one, name)).not.to.include(tokens[0])
  })

  it('the README names the configuration, and the next two commands', async () => {
    const dir = folders.make()
    await init(dir)
    expect(read(dir, 'README.md')).to.include('rystra.config.yaml').and.include('npx rystra serve\nnpx rystra connect')
  })

  it('a client takes what the server prints for it', async () => {
    const dir = folders.make()
    await init(dir, {
      role: 'client',
      to: 'tcp://tunnel.example.org:7001',
      token: 'secret-1',
      service: '192.168.1.5:22'
    })
    const { client } = (await loadConfig({ cwd: dir, env: {} })).config
    expect(client?.connect).to.include({ transport: 'tcp', host: 'tunnel.example.org', port: 7001 })
    expect(client?.proxies[0]).to.include({ local: '192.168.1.5:22' })
    expect(parseEnv(read(dir, '.env'))['RYSTRA_TOKEN']).to.equal('secret-1')
  })

  it('from a checkout, dependencies point at it', async () => {
    const dir = folders.make()
    await init(dir)
    const { dependencies, name } = JSON.parse(read(dir, 'package.json'))
    expect(name).to.equal(basename(dir).toLowerCase())
    expect(dependencies.rystra).to.match(/^file:(\.\.\/)+.*\/cli$/)
    expect(dependencies['@rystra/plugin']).to.match(/^file:.*\/framework\/plugin$/)
  })

  it('a configuration that is there is not overwritten, whatever its format, and nothing else is touched', async () => {
    for (const name of ['rystra.config.yaml', 'rystra.config.toml', '.rystrarc']) {
      const dir = folders.make({ [name]: 'mine' })
      const before = snapshot(dir)
      await refused(init(dir), /has a configuration already/)
      expect(snapshot(dir)).to.deep.equal(before)
    }
    const dir = folders.make({ 'package.json': '{"rystra":{}}' })
    await refused(init(dir, {}, true), /has a configuration already: package.json/)
  })

  it('--force replaces it, and keeps a copy', async () => {
    const dir = folders.make({
      'rystra.config.toml': 'mine',
      '.env': '# mine\nOTHER=1\nRYSTRA_TOKEN=kept\n',
      'README.md': 'mine'
    })
    await init(dir, {}, true)
    expect(read(dir, 'rystra.config.toml.bak')).to.equal('mine')
    expect(read(dir, 'rystra.config.yaml')).to.include('extensions:')
    expect(read(dir, '.env')).to.include('RYSTRA_TOKEN=kept')
    expect(read(dir, 'README.md')).to.equal('mine')
  })

  it('a project that is there gets what it lacks, and keeps what it has', async () => {
    const dir = folders.make({
      'package.json': '{ "name": "mine", "dependencies": { "rystra": "1.2.3", "x": "1.0.0" }, "type": "commonjs" }',
      '.gitignore': 'dist\n/.env',
      '.env': 'OTHER=1'
    })
    const { changed, created } = await init(dir)
    const json = JSON.parse(read(dir, 'package.json'))
    expect(json).to.include({ name: 'mine', type: 'commonjs' })
    expect(json.dependencies).to.include({ rystra: '1.2.3', x: '1.0.0' }).and.have.property('@rystra/plugin')
    expect(read(dir, '.gitignore')).to.equal('dist\n/.env\nnode_modules/\n.rystra/\n.rystra-backup/\n')
    expect(parseEnv(read(dir, '.env')))
      .to.include({ OTHER: '1' })
      .and.have.property('RYSTRA_TOKEN')
    expect(statSync(join(dir, '.env')).mode & 0o777).to.equal(0o600)
    expect(changed).to.have.members(['package.json', '.gitignore', '.env'])
    expect(created).to.have.members(['rystra.config.yaml', 'README.md'])
  })

  it('a folder that cannot be made is a clear error', async () => {
    const dir = folders.make({ file: '' })
    await refused(init(join(dir, 'file')), /cannot be made a folder/)
  })

  it('the command asks nothing without a terminal, and --json tells what was written', async () => {
    const dir = folders.make()
    const { code, out } = await rystra(['init', 'sub', '--role', 'server', '--json'], { cwd: dir })
    expect(code).to.equal(0)
    const reported = JSON.parse(out)
    expect(reported).to.include({ role: 'server', format: 'yaml', config: 'rystra.config.yaml', dir: join(dir, 'sub') })
    expect(reported.created).to.include.members(['.env', 'package.json'])
    const again = await rystra(['init', 'sub'], { cwd: dir })
    expect(again.code).to.equal(2)
    expect(again.err).to.include('has a configuration already').and.include('--force')
  })
})
