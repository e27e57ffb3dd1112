import { durationOf, durationPattern } from '@rystra/limits'
import { Type } from '@rystra/plugin'

/** What the sessions of one proxy, or of one way in, may take. */
export interface UdpLimits {
  /** Milliseconds without a datagram either way after which a session is over. */
  readonly sessionTimeout: number
  /** Sessions at once, and new ones within a second. */
  readonly maxSessions: number
  /** Sessions at once of one visitor's address. */
  readonly maxSessionsPerVisitor: number
  /** Datagrams a second that one visitor's address may send, all its sessions together; 0 for no limit. */
  readonly packetsPerVisitor: number
}

/** For the fields of a spec, which a kind may leave out. */
export const defaultLimits: UdpLimits = Object.freeze({
  // As long as NAT in front of services keeps a mapping that was used both ways.
  sessionTimeout: 60_000,
  // Each takes a socket at the client: so many fit into the descriptors a process usually has.
  maxSessions: 1024,
  // A household or an office behind one address.
  maxSessionsPerVisitor: 256,
  packetsPerVisitor: 0
})

/** The same as fields of a proxy's spec. All optional: see {@link defaultLimits}. */
export const limitFields = {
  sessionTimeout: Type.Optional(
    Type.Union([Type.Integer({ minimum: 100, maximum: 86_400_000 }), Type.String({ pattern: durationPattern })], {
      description:
        "Time without a datagram either way after which a session is over: milliseconds, or text such as '30s', '5m'. Default: 60s."
    })
  ),
  maxSessions: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_536,
      description:
        'Sessions at once, and new ones within a second. When there are as many, the one that was quiet longest goes. Default: 1024.'
    })
  ),
  maxSessionsPerVisitor: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_536,
      description: "Sessions at once of one visitor's address. Default: 256."
    })
  ),
  packetsPerVisitor: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "Datagrams a second that one visitor's address may send; 0 for no limit. Default: 0."
    })
  )
}

/** The fields of a spec that {@link limitFields} describes. */
export type LimitFields = Partial<Omit<UdpLimits, 'sessionTimeout'>> & { readonly sessionTimeout?: number | string }

const milliseconds = (duration: number | string): number =>
  typeof duration === 'number' ? duration : durationOf(duration)

/** Fills in what a spec leaves out. */
export const limitsOf = (fields: LimitFields): UdpLimits => ({
  sessionTimeout: milliseconds(fields.sessionTimeout ?? defaultLimits.sessionTimeout),
  maxSessions: fields.maxSessions ?? defaultLimits.maxSessions,
  maxSessionsPerVisitor: fields.maxSessionsPerVisitor ?? defaultLimits.maxSessionsPerVisitor,
  packetsPerVisitor: fields.packetsPerVisitor ?? defaultLimits.packetsPerVisitor
})
