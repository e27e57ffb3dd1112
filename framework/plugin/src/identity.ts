/** As many characters as the protocol carries. */
const LONGEST = 128

/** C0, DEL, C1, what separates lines, what changes the direction of the text around it, and halves of characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}\p{Surrogate}]/u

/**
 * What is wrong with the id of an identity, such as `is empty`; `undefined` for a good one. The framework refuses
 * sessions of others, so an authenticator need only ask where an id comes from outside and it wants to say so itself.
 */
export const identityFault = (id: string): string | undefined => {
  if (id === '') return 'is empty'
  if (id.length > LONGEST) return `has ${id.length} characters; ${LONGEST} are the most`
  if (unprintable.test(id)) return 'has characters that cannot be shown'
  return undefined
}
