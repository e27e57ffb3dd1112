import { expect } from 'chai'
import { isRystraError } from '@rystra/model'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { listExtensions } from '../src/plugins/inspect.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, snapshot, write } from './folder.js'
import { add, manifest, project, remove, source, usesIn } from './plugins-project.js'

const folders = new Folders()

describe('plugins:remove', () => {
  afterEach(() => folders.clean())

  it('changes nothing when the rest needs it', async () => {
    const dir = await project(folders)
    const provider = folders.make({
      'package.json': manifest({ name: 'provider' }),
      'index.js': source('', 'provides: ["store:x"],').replace("'bad'", "'provider'")
    })
    const needy = folders.make({
      'package.json': manifest({ name: 'needy' }),
      'index.js': source('', 'requires: ["store:x"],').replace("'bad'", "'needy'")
    })
    await add(dir, provider)
    await add(dir, needy)
    const before = snapshot(dir)
    const error = await remove(dir, 'provider').then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(isRystraError(error) && error.code, String(error)).to.equal('extension.requires')
    expect(snapshot(dir)).to.deep.equal(before)
    await remove(dir, 'needy')
    await remove(dir, 'provider')
    expect(await usesIn(dir)).to.deep.equal(['@rystra/auth-token'])
  })

  it('names what there is, and knows the preset', async () => {
    const dir = await project(folders)
    const { code, err } = await rystra(['plugins:remove', '@rystra/mux-yamux'], { cwd: dir })
    expect(code).to.equal(3)
    expect(err).to.include('it lists @rystra/auth-token').and.include('belongs to the preset')
  })

  it('takes out an extension that is a file, and leaves the file', async () => {
    const dir = await project(folders)
    write(dir, { 'hooks/mine.js': source('') })
    writeFileSync(
      join(dir, 'rystra.config.yaml'),
      readFileSync(join(dir, 'rystra.config.yaml'), 'utf8').replace('\nlog:', '  - ./hooks/mine.js # mine\n\nlog:')
    )
    const removed = await remove(dir, './hooks/mine.js')
    expect(removed.uninstalled).to.equal(false)
    expect(existsSync(join(dir, 'hooks/mine.js'))).to.equal(true)
    expect(await usesIn(dir)).to.deep.equal(['@rystra/auth-token'])
  })
})

describe('plugins:list and plugins:inspect', () => {
  afterEach(() => folders.clean())

  it('show the preset where there is no configuration', async () => {
    const { config, extensions } = await listExtensions({ cwd: folders.make() })
    expect(config).to.equal(undefined)
    expect(extensions.map(({ name, from }) => `${name} ${from}`)).to.deep.equal([
      'transport-tcp preset',
      'mux-yamux preset',
      'mux-direct preset',
      'auth-token preset',
      'proxy-tcp preset'
    ])
    for (const { use, name, version } of extensions) {
      expect(use).to.equal(`@rystra/${name}`)
      expect(version).to.match(/^\d+\.\d+\.\d+$/)
    }
  })

  it('show who taps what in which order, with secrets left out', async () => {
    const dir = await project(folders)
    write(dir, {
      'a.ts': source('context.hooks.onAuth.tap({ stage: 100 }, () => undefined)').replace("'bad'", "'late'"),
      'b.ts': source('context.hooks.onAuth.tap({ stage: -100 }, () => undefined)').replace("'bad'", "'early'")
    })
    const file = join(dir, 'rystra.config.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('\nlog:', '  - ./a.ts\n  - ./b.ts\n\nlog:'))
    const { out, code } = await rystra(['plugins:inspect', '--json'], { cwd: dir })
    expect(code).to.equal(0)
    const { extensions, hooks } = JSON.parse(out)
    const auth = hooks.find(({ side, hook }: { side: string; hook: string }) => side === 'server' && hook === 'onAuth')
    expect(auth.taps.map(({ extension }: { extension: string }) => extension)).to.deep.equal([
      'early',
      'auth-token',
      'late'
    ])
    expect(extensions.find(({ name }: { name: string }) => name === 'auth-token').options.token).to.equal('[redacted]')
    expect(out).not.to.include(readFileSync(join(dir, '.env'), 'utf8').split('=')[1]?.trim())
    const text = await rystra(['plugins:inspect', 'absent'], { cwd: dir })
    expect(text.code).to.equal(3)
    expect(text.err).to.include('loaded: transport-tcp, mux-yamux')
  })
})
