import type { TlsFacts } from '@rystra/plugin'
import assert from 'node:assert/strict'
import type { LinkEnd } from './link-end.js'
import { Inbox } from './streams.js'
import { transportCase as it } from './transport-case.js'
import type { TransportSubject, TransportWorld } from './transport-world.js'

const applies = ({ secure = false }: TransportSubject): boolean => secure

/** Bytes of keying material for channel binding, RFC 9266. */
const BINDING = 32

const factsOf = ({ link: { peer } }: LinkEnd): TlsFacts => {
  assert.ok(peer.tls !== undefined, 'a peer on an encrypted link has no facts of TLS')
  return peer.tls
}

const bindings = async (world: TransportWorld): Promise<(Buffer | undefined)[]> => {
  const { client, server } = await world.joined()
  return [client, server].map((end) => {
    const { binding } = factsOf(end)
    return binding === undefined ? undefined : Buffer.from(binding)
  })
}

/** What transports that encrypt must do. */
export const secureCases = [
  it(
    'says at both ends what protects a link',
    async (world) => {
      const { client, server } = await world.joined()
      const [near, far] = [factsOf(client), factsOf(server)]
      for (const { version, cipher } of [near, far]) {
        assert.match(version, /^TLSv1\.[23]$/, `the version of TLS is ${version}`)
        assert.ok(typeof cipher === 'string' && cipher.length > 4, `the cipher is ${cipher}`)
      }
      assert.deepEqual(
        [near.version, near.cipher, near.alpn],
        [far.version, far.cipher, far.alpn],
        'the two ends say different things of one link'
      )
    },
    { applies }
  ),
  it(
    'gives each link keys of its own to bind a proof to, the same at both ends',
    async (world) => {
      const [near, far] = await bindings(world)
      assert.equal(near?.toString('hex'), far?.toString('hex'), 'the two ends have different bindings')
      if (near === undefined) return
      assert.equal(near.length, BINDING, `a binding has ${near.length} bytes`)
      const [again] = await bindings(world)
      assert.notEqual(near.toString('hex'), again?.toString('hex'), 'two links have one binding')
    },
    { applies }
  ),
  it(
    'sends nothing that can be read on the way',
    async (world, scope) => {
      const seen: Buffer[] = []
      const listening = await world.listen()
      const hop = await world.hop(listening.listener.address, (bytes) => void seen.push(Buffer.from(bytes)))
      const { near, far } = await world.join(listening, hop.address)
      const secret = 'a word that must not be read: '
      const box = new Inbox(far)
      for (let count = 0; count < 20; count++) near.write(secret)
      await box.bytesCame(scope, secret.length * 20, 'the far end')
      const whole = Buffer.concat(seen)
      assert.ok(whole.length > secret.length * 20, 'the link did not go over the hop')
      assert.ok(!whole.includes(secret), 'what was sent could be read on the way')
    },
    { applies: (subject) => applies(subject) && subject.network !== 'other' }
  )
]

/** What encryption under a transport can change: cases for a transport that passes the whole kit without TLS, or with other certificates. */
export const SECURE_SUBSET: readonly string[] = [
  'makes links of the kind that the subject says',
  'carries 0 bytes each way at once',
  'carries 65537 bytes each way at once',
  'carries bytes that are written in pieces of all sizes',
  'lets the end that dialed answer long after the other has ended',
  'lets the end that listened answer long after the other has ended',
  'closes without an error when both ends are done',
  'shows a reset by the end that dialed as a reset',
  'shows a reset by the end that listened as a reset',
  'holds the end that dialed back while its peer does not read',
  'holds the end that listened back while its peer does not read',
  'keeps bytes that came before the first read',
  'carries what is written in the turn in which a dial is done',
  'carries what is written in the turn in which a link has come',
  'refuses a dial to a port without a listener',
  'lets links go on when the listener is closed',
  'gives a dial up at whatever stage it is',
  'gives a dial up that is not answered',
  'survives a storm of dials that fail',
  'leaves nothing open when all is over',
  'is not disturbed by raw peers that send garbage',
  'is not disturbed by raw peers that speak HTTP',
  'is not disturbed by raw peers that send nothing',
  'is not disturbed by raw peers that leave at once',
  ...secureCases.map(({ name }) => name)
]
