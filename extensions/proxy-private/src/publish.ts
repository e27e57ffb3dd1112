import { pattern } from '@rystra/address'
import { type Details, type PublishHost, type Published, RystraError, type Visit } from '@rystra/plugin'
import { nameOf, type PrivateSpec } from './spec.js'

/** The server half: claims the name and checks identities. The secret is checked by the owner. */
export const publishPrivate = async (spec: PrivateSpec, host: PublishHost): Promise<Published> => {
  const name = nameOf(spec)
  const owner = host.session.identity.id
  const allowed = spec.allow?.map(pattern) ?? [(identity: string) => identity === owner]

  const admit = ({ session, details }: Visit): Details => {
    const { id: identity } = session.identity
    const { from, nonce, mac } = details
    const refuse = (why: string): RystraError => {
      host.log.warn({ visitor: identity, client: session.client.id }, `a visit of ${name} was refused: ${why}`)
      return new RystraError('stream.no-visits', { side: 'server', detail: name })
    }
    if (!allowed.some((matches) => matches(identity))) throw refuse('the identity is not allowed')
    if (from !== undefined && !(typeof from === 'string' && pattern(from)(owner))) {
      throw refuse('the visitor expects another identity')
    }
    return {
      session: session.id,
      identity,
      client: session.client.id,
      ...(typeof nonce === 'string' ? { nonce } : {}),
      ...(typeof mac === 'string' ? { mac } : {})
    }
  }

  await host.acceptVisits(name, admit)
  return { address: `private://${name}` }
}
