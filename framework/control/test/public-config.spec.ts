import type { ResolvedConfig } from '@rystra/config'
import { Type } from '@rystra/plugin'
import { expect } from 'chai'
import { publicConfig } from '../src/public-config.js'

const marked = Type.Object({ hash: Type.String({ secret: true }) })
const proxies = {
  has: (kind: string) => kind === 'http',
  get: () => ({ spec: Type.Object({ basicAuth: Type.Array(marked) }) })
}
const none = { has: () => false }

describe('the public configuration', () => {
  it('leaves out what the schemas of kinds and extensions mark as secret, however they are called', () => {
    const config = {
      extensions: [
        { use: '@rystra/a', options: { hash: 'h1', shown: 'h0' } },
        { use: 'x', name: 'b', options: { hash: 'h2' } },
        { use: './own/c.ts', options: { hash: 'h3' } }
      ],
      client: { proxies: [{ name: 'web', kind: 'http', basicAuth: [{ user: 'u', hash: 'h4' }] }] }
    } as unknown as ResolvedConfig
    const optionSchemas = new Map(['@rystra/a', 'b', '/project/own/c.ts'].map((key) => [key, marked]))
    const text = JSON.stringify(
      publicConfig(config, { optionSchemas, registries: { proxies, transports: none } as never })
    )
    expect(text).not.match(/h[1-4]/)
    expect(text).include('h0').include('"user":"u"')
  })
})
