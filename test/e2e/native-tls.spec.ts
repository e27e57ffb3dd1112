import { BatchedLink, isTlsTaken, nativeStatus } from '@rystra/native'
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { fixture, join, made, pair, serve } from './tls-world.js'
import { portOf, readAll, startService, visit, visitorPort } from './tunnel.js'

describe('a tunnel over TLS with yamux', () => {
  fixture()

  for (const [what, refused] of [
    ['at both ends', -1],
    ['at one end', 0],
    ['at the other end', 1]
  ] as const)
    it(`is read and written by the native part ${what}`, async function () {
      if (!nativeStatus().used) return this.skip()
      const { open } = BatchedLink
      const taken: boolean[] = []
      BatchedLink.open = (...args) => {
        const link = taken.length === refused ? undefined : open.apply(BatchedLink, args)
        taken.push(link !== undefined && isTlsTaken(args[4] as TLSSocket))
        return link
      }
      try {
        const server = await serve(pair('server', made.server))
        const service = await startService((socket) => {
          const hash = createHash('sha256')
          socket.on('data', (chunk: Buffer) => hash.update(chunk))
          socket.on('end', () => socket.end(Buffer.concat([hash.digest(), Buffer.alloc(2_000_000, 'back')])))
        })
        const client = await join(portOf(server), { ca: 'ca.pem' }, service, 'yamux')
        const sent = Buffer.alloc(3_000_000, 'rystra')
        const right = Buffer.concat([createHash('sha256').update(sent).digest(), Buffer.alloc(2_000_000, 'back')])
        const visits = Array.from({ length: 3 }, async () => {
          const visitor = await visit(visitorPort(client, 'echo'))
          visitor.end(sent)
          return right.equals(await readAll(visitor))
        })
        expect(await Promise.all(visits)).to.deep.equal([true, true, true])
        expect(taken).to.deep.equal([0, 1].map((end) => end !== refused))
      } finally {
        BatchedLink.open = open
      }
    })
})
