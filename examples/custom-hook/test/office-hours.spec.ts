import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import { createServer } from '@rystra/server'
import { createPair, extensionKit, FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import * as rystra from 'rystra'
import officeHours from '../office-hours.js'

const here = path.resolve(import.meta.dirname, '..')
const token = 'a token of both ends'

/** What a visitor gets at an hour: what the service says, or why the server refused. */
const visitAt = async (hour: number, end: 'server' | 'client', options?: Parameters<typeof officeHours>[0]) => {
  const pair = await createPair({
    createServer,
    createClient,
    clock: new FakeClock(new Date(2024, 0, 1, hour, 59, 59).getTime()),
    extensions: [muxYamux(), authToken({ token })],
    [`${end}Extensions`]: [officeHours(options)],
    services: { shop: (stream) => stream.on('error', () => {}).end('welcome') }
  })
  try {
    const refused = once(pair.server, 'refused')
    const visitor = pair
      .visit('shop')
      .on('error', () => {})
      .end()
    const said = once(visitor, 'data').then(([chunk]) => String(chunk))
    said.catch(() => {})
    const why = refused.then(([{ error }]) => `${error.code}: ${error.detail}`)
    return await Promise.race([said, why])
  } finally {
    await pair.stop()
  }
}

const closed = 'stream.refused: shop is closed now'

describe('office hours', () => {
  for (const end of ['server', 'client'] as const) {
    it(`let visitors in from the hour that opens, on the ${end}`, async () => {
      expect(await visitAt(8, end)).to.equal(closed)
      expect(await visitAt(9, end)).to.equal('welcome')
    })

    it(`keep visitors out from the hour that closes, on the ${end}`, async () => {
      expect(await visitAt(16, end)).to.equal('welcome')
      expect(await visitAt(17, end)).to.equal(closed)
    })
  }

  it('may go over midnight', async () => {
    const night = { from: 22, to: 6 }
    expect(await visitAt(5, 'server', night)).to.equal('welcome')
    expect(await visitAt(12, 'server', night)).to.equal(closed)
    expect(await visitAt(23, 'server', night)).to.equal('welcome')
  })

  it('are loaded by the path that the configuration names', async () => {
    const { config } = await rystra.loadConfig({ cwd: here, env: { RYSTRA_TOKEN: token } })
    for (const make of [rystra.createServer, rystra.createClient]) {
      const end = await make(config, { dir: here })
      const found = end.kernel.inspect().extensions.find(({ name }) => name === 'office-hours')
      await end.stop()
      expect(found?.options).to.deep.equal({ from: 8, to: 18 })
      expect(found?.taps.map(({ hook }) => hook)).to.deep.equal(['onOpenStream'])
    }
  })

  it('are the same in the guide', () => {
    const guide = readFileSync(path.join(here, '../../docs/guide/write-an-extension.md'), 'utf8')
    const [, first] = /```ts\n(.*?)```/s.exec(guide) ?? []
    expect(first).to.equal(readFileSync(path.join(here, 'office-hours.ts'), 'utf8'))
  })
})

extensionKit(
  { use: officeHours(), invalid: { 'an hour in words': { from: 'eight' }, 'an hour that there is not': { to: 25 } } },
  { title: 'office hours as an extension' }
)
