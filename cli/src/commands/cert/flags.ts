import * as Flags from '@oclif/core/flags'

/** Flags of all commands that make certificates. */
export const makeFlags = (days: number, bits: number) => ({
  days: Flags.integer({ min: 1, description: `Validity in days. [default: ${days}]` }),
  bits: Flags.integer({ min: 2048, max: 8192, description: `Size of the RSA key in bits. [default: ${bits}]` }),
  force: Flags.boolean({ description: 'Overwrite existing files.' })
})

export const caFlag = {
  ca: Flags.string({ default: 'ca', description: 'Folder with the files of the authority.', helpValue: '<dir>' })
}
