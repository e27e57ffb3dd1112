import assert from 'node:assert/strict'
import { defineKit, type Kit } from './kit.js'
import { echo, type LinkEnd, ownStream } from './link-end.js'
import { turns } from '../until.js'
import {
  answersLate,
  carriesPieces,
  carriesWhole,
  closesCleanly,
  holdsBack,
  SIZES,
  showsReset
} from './stream-checks.js'
import { allWhole, Inbox, send } from './streams.js'
import { transportCase as it } from './transport-case.js'
import { datagramCases } from './transport-datagrams.js'
import { portCases } from './transport-ports.js'
import { secureCases } from './transport-secure.js'
import { streamCases } from './transport-streams.js'
import type { TransportSubject } from './transport-world.js'

/** More than the buffers of two kernels and four streams hold. */
const FLOOD = 32 * 1_048_576

const cases = [
  it('makes links that say what they carry and who is there', async (world) => {
    const { client, server } = await world.joined()
    assert.equal(client.link.kind, server.link.kind, 'the two ends of a link are of two kinds')
    for (const { peer } of [client.link, server.link]) {
      assert.ok(typeof peer.address === 'string' && peer.address !== '', `the address of the peer is ${peer.address}`)
      assert.ok(Number.isInteger(peer.port) && peer.port >= 0, `the port of the peer is ${peer.port}`)
    }
  }),
  it('makes links of the kind that the subject says', async (world) => {
    const { client, server } = await world.joined()
    const { links = 'bytes', datagrams = false, secure = false } = world.subject
    for (const { link } of [client, server]) {
      assert.equal(link.kind, links, `the links carry ${link.kind}, and the subject says \`links: '${links}'\``)
      const messages = link.kind === 'streams' && link.datagrams !== undefined
      assert.equal(
        messages,
        datagrams,
        `the subject says \`datagrams: ${datagrams}\`, and there is ${messages ? 'a' : 'no'} channel`
      )
      const encrypted = link.peer.tls !== undefined
      assert.equal(
        encrypted,
        secure,
        `the subject says \`secure: ${secure}\`, and the peer has ${encrypted ? 'facts' : 'no facts'} of TLS`
      )
    }
  }),
  ...SIZES.map((size) =>
    it(`carries ${size} bytes each way at once`, async (world, scope) => {
      const { near, far } = await world.joined()
      await carriesWhole(scope, [near, far], size)
    })
  ),
  it('carries bytes that are written in pieces of all sizes', async (world, scope) => {
    const { near, far } = await world.joined()
    await carriesPieces(scope, [near, far], 11)
  }),
  it('lets the end that dialed answer long after the other has ended', async (world, scope) => {
    const { near, far } = await world.joined()
    await answersLate(scope, [far, near])
  }),
  it('lets the end that listened answer long after the other has ended', async (world, scope) => {
    const { near, far } = await world.joined()
    await answersLate(scope, [near, far])
  }),
  it('closes without an error when both ends are done', async (world, scope) => {
    const { near, far } = await world.joined()
    await closesCleanly(scope, [near, far])
  }),
  it('shows a reset by the end that dialed as a reset', async (world, scope) => {
    const { near, far } = await world.joined()
    await showsReset(scope, [near, far])
  }),
  it('shows a reset by the end that listened as a reset', async (world, scope) => {
    const { near, far } = await world.joined()
    await showsReset(scope, [far, near])
  }),
  it('holds the end that dialed back while its peer does not read', async (world, scope) => {
    const { near, far } = await world.joined()
    await holdsBack(scope, [near, far], FLOOD)
  }),
  it('holds the end that listened back while its peer does not read', async (world, scope) => {
    const { near, far } = await world.joined()
    await holdsBack(scope, [far, near], FLOOD)
  }),
  it('keeps bytes that came before the first read', async (world, scope) => {
    const { near, far } = await world.joined()
    send(near, 4, 1_000)
    await turns(50)
    await new Inbox(far, 4).cameWhole(scope, 1_000, 'the reader that came late')
  }),
  it('carries what is written in the turn in which a dial is done', async (world, scope) => {
    const listening = await world.listen()
    const dialed = world.dial(listening.listener.address).then(async (end) => send(await ownStream(end), 9, 100_000))
    await scope.wait(dialed, 'dial() and open()')
    await scope.until(() => listening.links.length > 0, 'the link at the listener')
    const [server] = listening.links
    if (server === undefined) return
    await scope.until(() => server.link.kind === 'bytes' || server.incoming.length > 0, 'the stream at the listener')
    const far = server.link.kind === 'bytes' ? server.link.duplex : server.incoming[0]
    await new Inbox(far as NonNullable<typeof far>, 9).cameWhole(scope, 100_000, 'the listener')
  }),
  it('carries what is written in the turn in which a link has come', async (world, scope) => {
    const listening = await world.listen()
    let written: Promise<void> | undefined
    listening.onLink = (end) => {
      written = ownStream(end).then((stream) => send(stream, 8, 100_000))
    }
    const client = await world.dial(listening.listener.address)
    // some let a client speak first
    if (client.link.kind === 'bytes') client.link.duplex.write('x')
    await scope.until(() => written !== undefined, 'the link at the listener')
    await scope.wait(written, 'open()')
    await turns(30)
    await scope.until(
      () => client.link.kind === 'bytes' || client.incoming.length > 0,
      'the stream at the end that dialed'
    )
    const near = client.link.kind === 'bytes' ? client.link.duplex : client.incoming[0]
    await new Inbox(near as NonNullable<typeof near>, 8).cameWhole(scope, 100_000, 'the end that dialed')
  }),
  it('carries many links at once', async (world, scope) => {
    const count = 200
    const listening = await world.listen()
    listening.onLink = echo
    const { address } = listening.listener
    const ends: LinkEnd[] = []
    // handshakes of one process that is both ends: all at once would be a wait for the last
    while (ends.length < count) ends.push(...(await Promise.all(Array.from({ length: 20 }, () => world.dial(address)))))
    const streams = await Promise.all(ends.map(ownStream))
    const boxes = streams.map((stream, index) => new Inbox(stream, index * 100))
    for (const [index, stream] of streams.entries()) send(stream, index * 100, 20_000)
    await scope.until(() => listening.links.length === count, 'all links at the listener')
    await allWhole(scope, boxes, 20_000, 'link')
  })
]

/**
 * What every transport must do. Call it where `describe` may be called.
 *
 * @example
 * transportKit({ transport: carrierPigeon({ loft: 'north' }) })
 * transportKit({ transport: quic(), links: 'streams', datagrams: true, secure: true, network: 'udp' })
 */
export const transportKit: Kit<TransportSubject> = defineKit('transport', [
  ...cases,
  ...portCases,
  ...secureCases,
  ...streamCases,
  ...datagramCases
])
