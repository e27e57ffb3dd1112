import * as Flags from '@oclif/core/flags'

/** Flags of all commands that make certificates. */
export const makeFlags = (days: number, bits: number) => ({
  days: Flags.integer({ min: 1, description: `Days for which it is valid. [default: ${days}]` }),
  bits: Flags.integer({ min: 2048, max: 8192, description: `Bits of the RSA key. [default: ${bits}]` }),
  force: Flags.boolean({ description: 'Replace files that are there.' })
})

export const caFlag = {
  ca: Flags.string({ default: 'ca', description: 'Folder of the authority.', helpValue: '<dir>' })
}
