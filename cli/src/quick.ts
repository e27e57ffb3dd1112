import * as Flags from '@oclif/core/flags'
import type { Side } from '@rystra/model'
import { RystraCommand } from './command.js'

/** Flags of a {@link QuickCommand}. `extra` is what `--set` adds, with examples. */
export const quickFlags = (extra: string) => ({
  join: Flags.string({
    description: 'The server, as the join string that `rystra serve` prints.',
    helpValue: '<join string>'
  }),
  to: Flags.string({
    description: 'The server. [default: RYSTRA_SERVER, then the project in this folder]',
    helpValue: '[transport://]host[:port]'
  }),
  token: Flags.string({ description: 'The token of the server; also RYSTRA_TOKEN.' }),
  set: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    description: extra,
    helpValue: '<field=value>'
  }),
  muxer: Flags.string({
    description:
      'How streams share the way: yamux, one connection; direct, one each, for the highest throughput. [default: yamux]'
  }),
  dial: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    description: 'A field that the transport adds to client.connect: fingerprint=sha256:…, ca=ca.pem.',
    helpValue: '<field=value>'
  }),
  retry: Flags.boolean({ allowNo: true, default: true, description: 'Dial again when the server cannot be reached.' })
})

/** A command that does one thing of a client at once, without a configuration. */
export abstract class QuickCommand extends RystraCommand {
  static override streams = true
  static override side: Side = 'client'

  /** Its flags, and what it does not take from them. */
  protected options<Given extends { set?: string[] | undefined; dial?: string[] | undefined }>(flags: Given) {
    const { set = [], dial = [] } = flags
    return { ...flags, set, dial, cwd: process.cwd(), json: this.jsonEnabled(), debug: this.debugging }
  }
}
