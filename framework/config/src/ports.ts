import { expectedPorts, type PortRange, type PortsWritten, parsePorts, portRangePattern } from '@rystra/address'
import { type TResolved, resolved } from './schema.js'

const port = { type: 'integer', minimum: 1, maximum: 65535 }

/** Schema of a list of ports and ranges. */
export const portsSchema = (): TResolved<PortsWritten, readonly PortRange[]> =>
  resolved(
    expectedPorts,
    {
      type: 'array',
      items: {
        anyOf: [
          port,
          { type: 'string', pattern: portRangePattern },
          {
            type: 'object',
            properties: { from: port, to: port },
            required: ['from', 'to'],
            additionalProperties: false
          }
        ]
      }
    },
    parsePorts
  )
