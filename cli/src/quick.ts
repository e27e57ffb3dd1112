import * as Flags from '@oclif/core/flags'
import type { Side } from '@rystra/model'
import { RystraCommand } from './command.js'

/** Flags of a {@link QuickCommand}. `extra` is what `--set` adds, with examples. */
export const quickFlags = (extra: string) => ({
  join: Flags.string({
    description: 'Join string of the server, as `rystra serve` prints it: address, certificate and token in one word.',
    helpValue: '<join string>'
  }),
  to: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    description:
      'Address of the server. May be repeated: the next server is dialed when one is lost. [default: RYSTRA_SERVER, then the configuration in this folder]',
    helpValue: '[transport://]host[:port]'
  }),
  token: Flags.string({ description: 'Token that the server accepts. [default: RYSTRA_TOKEN]' }),
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
    description: 'Field of client.connect that the transport adds: fingerprint=sha256:… or ca=ca.pem. May be repeated.',
    helpValue: '<field=value>'
  }),
  retry: Flags.boolean({
    allowNo: true,
    default: true,
    description: 'Whether to dial again when the server cannot be reached; --no-retry exits.'
  })
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
