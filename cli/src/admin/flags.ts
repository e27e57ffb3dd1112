import * as Flags from '@oclif/core/flags'
import { configFlag } from '../command.js'

/** The flags that name a running process. */
export const adminFlags = {
  ...configFlag,
  admin: Flags.string({
    description:
      'Address of the admin API of another process: http://127.0.0.1:7080, https://host:port, or unix:/path. [default: the process whose state folder is here]',
    helpValue: '<url>'
  }),
  token: Flags.string({ description: 'Token for --admin; also RYSTRA_ADMIN_TOKEN.', helpValue: '<token>' }),
  side: Flags.string({
    options: ['server', 'client'],
    description:
      'Which one, where a server and a client run with one state folder. [default: the server for status, why, top, logs, clients, proxies, inspect and upgrade; others fail]'
  })
}

/** The same flags as they were given. */
export interface AdminTarget {
  readonly config?: string | undefined
  readonly admin?: string | undefined
  readonly token?: string | undefined
  readonly side?: string | undefined
}
