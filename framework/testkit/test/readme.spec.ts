import { defineExtension } from '@rystra/plugin'
import { extensionKit, MemoryNetwork, transportKit } from '@rystra/testkit'
import { expect } from 'chai'
import { readFileSync } from 'node:fs'

// README
const air = new MemoryNetwork()
const pigeon = defineExtension({
  name: 'transport-pigeon',
  setup: ({ registries }) =>
    registries.transports.add({
      name: 'pigeon',
      listen: (...args) => air.listen(...args),
      dial: (...args) => air.dial(...args)
    })
})

transportKit(
  { transport: pigeon(), network: 'other' },
  { skip: { 'carries many links at once': 'there is one pigeon' } }
)
extensionKit({ use: pigeon() })
// README

describe('the README', () => {
  it('shows what is run here', () => {
    const [, code = ''] = readFileSync(new URL(import.meta.url), 'utf8').split('// README\n')
    const [, block = ''] = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split(/```ts\n|```\n/)
    expect(block).to.include(code.trim())
  })
})
