import { RystraError } from '@rystra/model'
import type { Authenticator, PeerInfo, Proof, Registry } from '@rystra/plugin'
import { X509Certificate } from 'node:crypto'

/** Of what servers say to each other; members of another version refuse each other. */
const PEER_VERSION = 1

/** The method of authentication between servers. */
const METHOD = 'cluster'

/** The name that the certificate of a member is for. `.internal` is kept for private use. */
export const certificateName = (member: string): string => `${member}.rystra.internal`

/** What both ends of a link between servers have in common. */
interface Common {
  readonly cluster: string
  /** Of the server that accepts. */
  readonly to: string
}

const proofOf = ({ cluster, to }: Common): Uint8Array =>
  Buffer.from(JSON.stringify({ version: PEER_VERSION, cluster, to }))

/** What is wrong with the certificate of a member. */
const certificateFault = ({ tls }: PeerInfo, member: string): string | undefined => {
  if (tls?.certificate === undefined) return 'it has no verified certificate'
  const certificate = new X509Certificate(tls.certificate)
  // A client of a tunnel that has a certificate of this authority by mistake is no member.
  if (certificate.checkHost(certificateName(member)) === undefined) {
    return `its certificate is not for ${certificateName(member)}`
  }
  return undefined
}

/** What the proof of a member does not fit. */
const proofFault = (proof: Uint8Array, expected: Common): string | undefined => {
  if (Buffer.from(proof).equals(proofOf(expected))) return undefined
  try {
    const { version, cluster, to } = JSON.parse(Buffer.from(proof).toString()) as Record<string, unknown>
    if (version !== PEER_VERSION) return `it speaks version ${version} of the cluster, this server ${PEER_VERSION}`
    if (cluster !== expected.cluster) return 'it is of another cluster'
    return `it wanted to reach ${to}`
  } catch {
    return 'its proof is malformed'
  }
}

/** The registry of the one method that servers use with each other. */
const registryOf = (authenticator: Authenticator): Pick<Registry<Authenticator>, 'list' | 'get'> => ({
  list: () => [METHOD],
  get: () => authenticator
})

/** Half of the server that accepts. Certificates are verified by the transport; this decides whose they are. */
export const acceptingPeer = (common: Common) =>
  registryOf({
    method: METHOD,
    verify: (proof, { clientId }, peer) => {
      const fault = certificateFault(peer, clientId) ?? proofFault(proof, common)
      return fault === undefined
        ? { identity: { id: common.to }, confirm: proofOf({ ...common, to: clientId }) }
        : { deny: fault }
    }
  })

/** Half of the server that dials. */
export const dialingPeer = (common: Common, name: string) =>
  registryOf({
    method: METHOD,
    prove: (_challenge, peer): Proof => {
      const fault = certificateFault(peer, common.to)
      if (fault !== undefined) throw new RystraError('cluster.refused', { side: 'server', detail: fault })
      return { proof: proofOf(common), confirm: proofOf({ ...common, to: name }) }
    }
  })
