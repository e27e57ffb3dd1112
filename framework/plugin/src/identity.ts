import { isPrintable } from '@rystra/model'

/** As many characters as the protocol carries. */
const LONGEST = 128

/**
 * What is wrong with the id of an identity, such as `is empty`; `undefined` for a good one. The framework refuses
 * sessions of others, so an authenticator need only ask where an id comes from outside and it wants to say so itself.
 */
export const identityFault = (id: string): string | undefined => {
  if (id === '') return 'is empty'
  if (id.length > LONGEST) return `has ${id.length} characters; ${LONGEST} are the most`
  if (!isPrintable(id)) return 'has characters that cannot be shown'
  return undefined
}
