import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { file, rendered } from '../scripts/reference.js'
import { loadConfig, validateBase } from '../src/index.js'
import { configSchema } from '../src/types.js'
import { folderWith, removeFolders } from './folder.js'

interface Part {
  properties?: Record<string, Part>
  items?: Part
  description?: string
}

const paths = (schema: Part, path = ''): [path: string, part: Part][] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, part]) => {
    const here = path === '' ? key : `${path}.${key}`
    return [[here, part] as [string, Part], ...paths(part, here), ...paths(part.items ?? {}, `${here}[]`)]
  })

describe('docs/reference/config.md', () => {
  after(removeFolders)

  it('is what the schemas say; if not, run `npx tsx framework/config/scripts/reference.ts`', async () => {
    expect(await readFile(file, 'utf8')).to.equal(rendered())
  })

  it('has every key, and says what each means', () => {
    const all = paths(configSchema)
    expect(all).to.have.length.greaterThan(30)
    for (const [path, { description }] of all) {
      expect(rendered(), path).to.include(`\`${path}`)
      expect(description, path).to.match(/\S/)
    }
  })

  it('begins with an example that is valid', async () => {
    const [, example = ''] = /```yaml\n(.*?)```/s.exec(rendered()) ?? []
    const dir = await folderWith({ 'rystra.config.yaml': example })
    const { config } = await loadConfig({ cwd: dir, env: { RYSTRA_TOKEN: 'a token' } })
    expect(config.client?.proxies[0]?.name).to.equal('ssh')
    expect(validateBase(config)).to.deep.equal(config)
  })
})
