import { expect } from 'chai'
import { MemoryClaims } from '../src/memory-claims.js'
import type { Holder } from '../src/owner.js'

const holder = (name: string): Holder =>
  ({
    spec: { name, kind: 'tcp' },
    session: { identity: { id: 'home' }, client: { id: name } },
    owner: { probe: async () => true, evict: async () => {} },
    group: undefined
  }) as unknown as Holder

const shown = { code: 'proxy.port-taken', what: '80' } as const

describe('a key whose last holder leaves', () => {
  it('is free for the next, also when what the holders shared cannot be closed', async () => {
    const claims = new MemoryClaims(() => 10)
    const [first, next] = [holder('first'), holder('next')]
    const held = await claims.take('tcp 80', { proxy: first, value: 1 }, shown)
    held.shared = { close: () => Promise.reject(new Error('it does not close')) }
    const dropped = claims.drop('tcp 80', first).then(
      () => 'closed',
      (error: Error) => error.message
    )
    const taken = await claims.take('tcp 80', { proxy: next, value: 2 }, shown)
    expect([taken.members[0]?.value, await dropped]).to.deep.equal([2, 'it does not close'])
    expect(await claims.find('tcp 80')).to.equal(taken)
  })
})
