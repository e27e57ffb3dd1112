import { Command } from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'
import type { Side } from '@rystra/model'
import { report } from './report.js'

/** The flags that name a configuration. */
export const configFlag = {
  config: Flags.string({
    char: 'c',
    description: 'Configuration file. [default: rystra.config.* and similar names in this folder]',
    helpValue: '<file>'
  })
}

/** Whether a process can be found by other commands. */
export const socketFlag = {
  admin: Flags.boolean({
    allowNo: true,
    default: true,
    description: 'Open the unix socket in the state folder by which `status` and other commands find this process.'
  })
}

/** Whether a running process follows its configuration. */
export const watchFlag = {
  watch: Flags.boolean({
    description:
      'Read the configuration again whenever its file changes, for development. [default: on SIGHUP and `rystra reload` only]'
  })
}

/** What every command has: --json, --help, --debug, and errors told in one way. */
export abstract class RystraCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags = {
    debug: Flags.boolean({ description: 'Print stack traces and log at the level trace.', helpGroup: 'GLOBAL' })
  }

  /** Writes events, one line each, instead of one result. */
  static readonly streams: boolean = false
  /** Which side it runs, for errors that do not say which one failed. */
  static readonly side: Side | undefined = undefined

  /** Whether stack traces are wanted. */
  get debugging(): boolean {
    return this.argv.includes('--debug') || process.env['DEBUG'] !== undefined
  }

  protected override async catch(error: unknown): Promise<void> {
    const { streams, side } = this.ctor as typeof RystraCommand
    process.exitCode = await report(error, {
      format: this.jsonEnabled() ? (streams ? 'line' : 'json') : 'text',
      debug: this.debugging,
      side,
      command: this.id
    })
  }
}
