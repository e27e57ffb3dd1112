import { type ProxySpec, RystraError } from '@rystra/model'

/**
 * The error that is sent to a client. What another identity has, what a rule reserves for another and what a rule does not
 * allow are answered alike: a client must not learn what others have. `side: 'client'` is a conflict of its own identity.
 */
export const publicError = (error: RystraError, { name, port, host, subdomain, of }: ProxySpec): RystraError => {
  const { code, side } = error
  if (side === 'client' || (code !== 'proxy.claimed' && code !== 'proxy.port-taken')) return error
  const requested = code === 'proxy.port-taken' ? [port] : [host ?? subdomain ?? of ?? name].flat()
  return new RystraError(code, { side: 'server', detail: requested.join(', ') })
}
