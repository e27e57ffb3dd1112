import { defineExtension } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import { firstThatConnects } from '../src/client/discover.js'

const discovery = defineExtension({
  name: 'discovery-two',
  setup({ registries }) {
    registries.discoveries.add({
      name: 'two',
      async *find(name, signal) {
        for (const transport of ['tcp', 'quic']) yield { name, transport, host: '127.0.0.1', port: 1 }
        if (!signal.aborted) await once(signal, 'abort')
      }
    })
  }
})()

class Connected {
  closed = false
  constructor(readonly transport: string) {}
  async close(): Promise<void> {
    this.closed = true
  }
}

const search = { name: 'home', transport: undefined, discovery, timeout: 5000, log: undefined }

describe('the search for a server by its name', () => {
  it('closes a second client that connects in the same turn', async () => {
    const made: Connected[] = []
    let go = (): void => {}
    const both = new Promise<void>((resolve) => {
      go = resolve
    })
    const client = await firstThatConnects(search, async (transport) => {
      made.push(new Connected(transport))
      if (made.length === 2) go()
      await both
      return made.find((each) => each.transport === transport) as Connected
    })
    expect(made).to.have.length(2)
    expect(made.filter(({ closed }) => !closed)).to.deep.equal([client])
  })

  it('tries only the transport that is wanted', async () => {
    const tried: string[] = []
    const client = await firstThatConnects({ ...search, transport: 'quic' }, async (transport) => {
      tried.push(transport)
      return new Connected(transport)
    })
    expect([client.transport, tried]).to.deep.equal(['quic', ['quic']])
  })
})
