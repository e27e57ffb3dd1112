import { type KeyPair, makeAuthority } from '../src/index.js'

let made: Promise<KeyPair> | undefined

/** One authority for all suites: keys take their time. */
export const authority = (): Promise<KeyPair> => {
  made ??= makeAuthority({ commonName: 'Prüfstelle' })
  return made
}
