/** Several servers that act as one: membership, claims, and streams from server to server. */
export { Cluster, type ClusterHost, type ClusterMember, type ForwardTo } from './cluster.js'
export type { Forward } from './forward-head.js'
export { Membership, type MembershipOptions, type MembershipState } from './membership.js'
export { certificateName, PEER_VERSION } from './peer-identity.js'
export type { PeerAddress, PeerOptions } from './peer-options.js'
export type { ProbeRequest } from './probe.js'
export * from './records.js'
export { Replica, type ReplicaEvents } from './replica.js'
