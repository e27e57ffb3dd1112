import type { Client } from '@rystra/client'
import type { RystraError } from '@rystra/model'
import { defineExtension, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import { carriers, db, join, serve, toDb, wayIn } from './private-tunnel.js'
import { cleanUp, echo, endOfVisit, startService } from './tunnel.js'

/** Refuses visitors by one of its codes, or without one. */
const officeHours = defineExtension({
  name: 'office-hours',
  options: Type.Object({ coded: Type.Boolean({ default: false, description: 'Whether it has a code' }) }),
  errors: { closed: { text: 'the office is closed', hint: 'come back at 9:00', retryable: true } },
  setup: ({ hooks, options, error }) =>
    hooks.onOpenStream.tap(() => {
      const { code } = error('closed')
      return { deny: 'until 9:00', ...(options.coded ? { code } : {}) }
    })
})

/** What becomes of a visitor, and what its client is reported. */
const refused = async (client: Client): Promise<{ end: string; error: RystraError }> => {
  const reported = once(client, 'refused') as Promise<[{ error: RystraError }]>
  const end = await endOfVisit(wayIn(client))
  const [{ error }] = await reported
  return { end, error }
}

for (const [index, { title }] of carriers().entries()) {
  describe(`the reason of a refusal over ${title}`, () => {
    afterEach(cleanUp)

    for (const at of ['server', 'owner'] as const) {
      it(`reaches the client of the visitor from the ${at}, with a code of the extension`, async () => {
        for (const coded of [false, true]) {
          const carrier = carriers()[index] as ReturnType<typeof carriers>[number]
          const guard = [officeHours({ coded })]
          const server = await serve(carrier, {}, at === 'server' ? guard : [])
          const more = at === 'owner' ? guard : []
          await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo))], more })
          const visitor = await join(carrier, server, { id: 'visitor', forwards: [toDb()] })
          const { end, error } = await refused(visitor)
          expect(end).equal('ECONNRESET')
          expect(error.code).equal(coded ? 'office-hours.closed' : 'stream.refused')
          expect(error.detail).contain('until 9:00')
          if (!coded) continue
          expect(error.message).contain('the office is closed')
          expect([error.retryable, error.scope]).deep.equal([true, 'stream'])
        }
      })
    }
  })
}
