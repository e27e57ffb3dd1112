import { durationOf, durationPattern } from '@rystra/limits'
import { Type } from '@rystra/plugin'

/** Limits of the sessions of one proxy, or of one forward. */
export interface UdpLimits {
  /** Milliseconds without a datagram in either direction after which a session ends. */
  readonly sessionTimeout: number
  /** Maximum of sessions, and of new ones per second. */
  readonly maxSessions: number
  /** Maximum of sessions of one visitor address. */
  readonly maxSessionsPerVisitor: number
  /** Datagrams per second of one visitor address, all its sessions together; 0 for no limit. */
  readonly packetsPerVisitor: number
}

/** Defaults of the fields of a spec. */
export const defaultLimits: UdpLimits = Object.freeze({
  // As long as NATs keep a mapping that was used in both directions.
  sessionTimeout: 60_000,
  // Each takes a socket at the client: this number fits into the usual descriptor limit.
  maxSessions: 1024,
  // Enough for a household or an office behind one address.
  maxSessionsPerVisitor: 256,
  packetsPerVisitor: 0
})

/** The limits as fields of a spec, all optional: see {@link defaultLimits}. */
export const limitFields = {
  sessionTimeout: Type.Optional(
    Type.Union(
      [
        Type.Integer({ minimum: 100, maximum: 86_400_000 }),
        Type.String({ title: "a duration such as '250ms', '30s', '5m'", pattern: durationPattern })
      ],
      {
        description:
          "Time without a datagram in either direction after which a session ends: milliseconds, or text such as '30s', '5m'. Default: 60s."
      }
    )
  ),
  maxSessions: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_536,
      description:
        'Maximum of sessions, and of new ones per second; one more evicts the session that was silent for longest. Default: 1024.'
    })
  ),
  maxSessionsPerVisitor: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_536,
      description: 'Maximum of sessions of one visitor address. Default: 256.'
    })
  ),
  packetsPerVisitor: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Maximum of datagrams per second of one visitor address; 0 for no limit. Default: 0.'
    })
  )
}

/** The fields of a spec that {@link limitFields} describes. */
export type LimitFields = Partial<Omit<UdpLimits, 'sessionTimeout'>> & { readonly sessionTimeout?: number | string }

const milliseconds = (duration: number | string): number =>
  typeof duration === 'number' ? duration : durationOf(duration)

/** Applies the defaults. */
export const limitsOf = (fields: LimitFields): UdpLimits => ({
  sessionTimeout: milliseconds(fields.sessionTimeout ?? defaultLimits.sessionTimeout),
  maxSessions: fields.maxSessions ?? defaultLimits.maxSessions,
  maxSessionsPerVisitor: fields.maxSessionsPerVisitor ?? defaultLimits.maxSessionsPerVisitor,
  packetsPerVisitor: fields.packetsPerVisitor ?? defaultLimits.packetsPerVisitor
})
