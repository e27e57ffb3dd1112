import { hostText } from '@rystra/address'
import { printablePattern } from '@rystra/model'
import { type StringOptions, Type } from '@rystra/model/schema'
import { said } from './schema.js'

export const text = (expected: string, options: StringOptions) => said(Type.String(options), expected)

/** Ids and names are printed to terminals and logs. */
export const word = (description: string) =>
  text('text of 1 to 128 characters', { minLength: 1, maxLength: 128, pattern: printablePattern, description })

/** A place in the network, for the options that only name one. */
export const host = (description = 'A host name or an address.') => text(hostText.title, { ...hostText, description })

/** An address on a transport without hosts and ports. */
export const address = (description: string) =>
  Type.Optional(text('1 to 1024 characters', { minLength: 1, maxLength: 1024, description }))

/** Load balancers in front of a listener. */
export const proxyProtocolFrom = Type.Optional(
  Type.Array(text('an address or a network such as 10.0.0.0/8', { minLength: 2, maxLength: 64 }), {
    minItems: 1,
    maxItems: 256,
    description:
      'Addresses and networks of load balancers whose connections begin with a header of the PROXY protocol, version 1 or 2: the address in it is that of the client. Their connections without a header are closed. Default: none.'
  })
)
