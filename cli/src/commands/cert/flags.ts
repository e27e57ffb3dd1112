import * as Flags from '@oclif/core/flags'

const keySizes = {
  RSA: 'Size of the RSA key in bits. [default: 3072]',
  EC: 'Makes an RSA key of this size in bits. [default: an EC key on P-256]'
}

/** Flags of all commands that make certificates. */
export const makeFlags = (days: number, key: 'RSA' | 'EC') => ({
  days: Flags.integer({ min: 1, description: `Validity in days. [default: ${days}]` }),
  bits: Flags.integer({ min: 2048, max: 8192, description: keySizes[key] }),
  force: Flags.boolean({ description: 'Overwrite existing files.' })
})

export const caFlag = {
  ca: Flags.string({ default: 'ca', description: 'Folder with the files of the authority.', helpValue: '<dir>' })
}
