import * as Flags from '@oclif/core/flags'
import { RystraError } from '@rystra/model'

/** Flags that name a unit. */
export const unitFlags = {
  name: Flags.string({ description: 'Name of the unit.', default: 'rystra' }),
  user: Flags.boolean({ description: "A unit of this user's own systemd: no rights of root are needed." })
}

/** Throws `usage.invalid` for a name that is not one of a unit. */
export const checkName = (name: string): string => {
  if (/^[A-Za-z][\w-]{0,63}$/.test(name)) return name
  throw new RystraError('usage.invalid', {
    detail: `--name: "${name}" is not a name of a unit`,
    hint: 'use letters, digits, - and _, beginning with a letter'
  })
}
