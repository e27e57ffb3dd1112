import { defineExtension, type Lifecycle, OBSERVE, RystraError } from '@rystra/plugin'
import { FileSink } from './file-sink.js'
import { mayHoldSecret } from './line.js'
import { auditOptions, bytesOf, fileOptions, type RecordKind } from './options.js'
import { Recorder } from './recorder.js'
import * as records from './records.js'
import { StdoutSink } from './stdout-sink.js'
import path from 'node:path'

export type { AuditOptions, FileOptions, RecordKind } from './options.js'

/** Records sessions, registrations, streams and refusals as lines of JSON, in a file or on standard output. */
export default defineExtension({
  name: 'hook-audit',
  options: auditOptions,
  setup({ hooks, options, role, log, clock, metrics, dir, state }): Lifecycle {
    const secret = options.fields.find(mayHoldSecret)
    if (secret !== undefined) {
      throw new RystraError('extension.options', { detail: `fields: ${secret} names a secret` })
    }
    const file = options.to === 'stdout' ? undefined : fileOptions(options.to)
    const sink =
      file === undefined ? new StdoutSink() : new FileSink(path.resolve(dir, file.file), file, { clock, state })
    const recorder = new Recorder({ sink, role, queue: bytesOf(options.queue), clock, log, metrics })
    const has = (kind: RecordKind): boolean => options.records.includes(kind)
    const stage = { stage: OBSERVE } as const

    if (has('session')) {
      hooks.onConnect.tap(stage, (context) => recorder.add('session.open', records.sessionOpen(context)))
      hooks.onDisconnect.tap(stage, (context) => {
        recorder.add('session.close', records.sessionClose(context, clock.now()))
      })
    }
    if (has('registration')) {
      hooks.onPublished.tap(stage, (context) => {
        recorder.add('proxy.publish', records.proxyPublish(context, options.fields))
      })
      hooks.onUnregisterProxy.tap(stage, (context) => {
        recorder.add('proxy.unpublish', records.proxyUnpublish(context))
      })
    }
    if (has('stream-open')) {
      hooks.onOpenStream.tap({ ...stage, onFailure: 'open' }, (context) => {
        recorder.add('stream.open', records.streamOpen(context))
      })
    }
    if (has('stream')) {
      hooks.onCloseStream.tap(stage, (context) => recorder.add('stream.close', records.streamClose(context)))
    }
    if (has('request')) {
      hooks.onCloseRequest.tap(stage, (context) => recorder.add('request', records.request(context)))
    }
    if (has('refusal')) hooks.onRefused.tap(stage, (context) => recorder.add('refusal', records.refusal(context)))

    return {
      async start() {
        try {
          await recorder.start()
        } catch (error) {
          const { code, message } = error as NodeJS.ErrnoException
          throw new RystraError('file.failed', { detail: `${sink.name}: ${code ?? message}`, cause: error })
        }
      },
      stop: () => recorder.stop()
    }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/hook-audit': Partial<import('./options.js').AuditOptions>
  }
}
