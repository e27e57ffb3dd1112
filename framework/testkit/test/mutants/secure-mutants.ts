import type { TransportSubject } from '../../src/index.js'
import { type SecureFlaw, tinySecure } from '../tiny-secure.js'
import type { Mutant } from './mutant.js'

const mutant = (flaw: SecureFlaw, because: RegExp): Mutant<TransportSubject> => ({
  because,
  subject: () => ({ transport: () => tinySecure(flaw), secure: true })
})

/** Transports that say that they encrypt. */
export const secureMutants: Readonly<Record<string, Mutant<TransportSubject>>> = {
  'says at both ends what protects a link': mutant('other-cipher', /the two ends say different things/),
  'gives each link keys of its own to bind a proof to, the same at both ends': mutant(
    'one-binding',
    /two links have one binding/
  ),
  'sends nothing that can be read on the way': mutant('plain', /could be read on the way/)
}
