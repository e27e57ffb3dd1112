import { issuePeer, makeAuthority } from '@rystra/certificates'
import { certificateName } from '@rystra/cluster'
import { RystraError } from '@rystra/model'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { common, keep, type Made, type MakeOptions } from './make.js'
import { authorityFiles, readAuthority } from './read.js'

/** A label of the name in the certificate. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const hasAuthority = (dir: string): Promise<boolean> =>
  access(join(dir, authorityFiles.key)).then(
    () => true,
    () => false
  )

/** `<name>.pem` and `<name>-key.pem` for each, and the authority unless there is one. Rejects with `cert.*`. */
export const makeMembers = async (names: readonly string[], options: MakeOptions): Promise<Made[]> => {
  const wrong = names.find((name) => !NAME.test(name) || name === 'ca')
  if (wrong !== undefined) {
    const detail = `name: expected 1 to 63 lower-case letters, digits and -, other than ca, got ${JSON.stringify(wrong)}`
    throw new RystraError('cert.invalid', { detail })
  }
  if (!(await hasAuthority(options.out))) {
    await keep([authorityFiles.cert, authorityFiles.key], { out: options.out, force: false }, () =>
      makeAuthority({ commonName: 'Rystra cluster', keyType: 'ec' })
    )
  }
  const authority = await readAuthority(options.out)
  const made: Made[] = []
  for (const name of new Set(names)) {
    made.push(
      await keep([`${name}.pem`, `${name}-key.pem`], options, () =>
        issuePeer(authority, { commonName: name, names: [certificateName(name)], keyType: 'ec', ...common(options) })
      )
    )
  }
  return made
}
