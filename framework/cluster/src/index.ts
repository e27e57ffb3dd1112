/** Several servers that act as one: membership, claims, and streams from server to server. */
export { Cluster, type ClusterHost, type ForwardTo } from './cluster.js'
export type { ChannelTo, ForwardedChannel } from './channel-head.js'
export type { Forward } from './forward-head.js'
export type { MembershipState } from './membership.js'
export { certificateName } from './peer-identity.js'
export type { PeerStream } from './peer-acceptor.js'
export type { ProbeRequest } from './probe.js'
export { Replica } from './replica.js'
export {
  claimKey,
  type ClaimRecord,
  claimRecordOf,
  clientKey,
  isClaimKey,
  isClientKey,
  proxyKey,
  type ProxyRecord,
  proxyRecordOf,
  sessionOf,
  sharedSession,
  specHash
} from './records.js'
export { SharedLimits } from './shared-limits.js'
export type { MemberRequests } from './member-request.js'
