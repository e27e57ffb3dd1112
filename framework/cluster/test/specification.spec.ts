import { encode, FrameDecoder, type Message, type OpenChannel, type OpenStream } from '@rystra/protocol'
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { channelMessage, channelOf } from '../src/channel-head.js'
import { forwardMessage, forwardOf } from '../src/forward-head.js'
import { probeMessage, probeOf } from '../src/probe.js'
import { specHash } from '../src/records.js'

const text = readFileSync(new URL('../SPEC.md', import.meta.url), 'utf8')
const vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8')) as Record<string, string>

const visitor = { host: '198.51.100.9', port: 50_412, to: { host: '203.0.113.7', port: 20_022 } }
const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const details = { early: true }
const spec = specHash({ name: 'web', kind: 'http', host: 'app.example.org' })
const stream = { id: '9k', proxy: 'web', visitor, details, trace }
const to = { member: 'b', session: 's1', spec, timeout: 4000 }
const channel: OpenChannel = { type: 'OpenChannel', id: 's.1', name: 'rpc', flow: 5, details: { kind: 'calls' } }

const samples: Readonly<Record<string, Message>> = {
  OpenStream: forwardMessage(stream, to, 7),
  OpenChannel: channelMessage(channel, { session: 's1', end: 'client' }, 4000),
  Probe: probeMessage('p.1', { session: 's1', ms: 500 }),
  Notice: { type: 'Notice', proxy: 'web', notice: { session: 's1', notice: { status: 200 } } }
}

const code = (run: () => unknown): string => {
  try {
    run()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

const read = (name: string): Message | undefined => {
  const decoder = new FrameDecoder()
  decoder.push(Buffer.from(vectors[name] ?? '', 'hex'))
  return decoder.next()
}

describe('the protocol between servers', () => {
  it('has the frames of its vectors, and of its text', () => {
    const frames = Object.fromEntries(
      Object.entries(samples).map(([name, message]) => [name, Buffer.from(encode(message)).toString('hex')])
    )
    expect(frames).to.deep.equal(vectors)
    const shown = [...text.matchAll(/^```hex (\w+)\n(.*?)^```$/gms)].map(([, name, hex = '']) => [
      name,
      hex.replaceAll(/\s/g, '')
    ])
    expect(Object.fromEntries(shown)).to.deep.equal(vectors)
  })

  it('is read as it was written: with the trace, the deadline and what is for the client alone', () => {
    const { member: _, ...rest } = to
    expect(forwardOf(read('OpenStream') as OpenStream)).to.deep.equal({ ...stream, ...rest, flow: 7, carrier: false })
    expect(channelOf(read('OpenChannel') as OpenChannel)).to.deep.equal({
      session: 's1',
      end: 'client',
      timeout: 4000,
      message: channel
    })
  })

  it('refuses a second hop, and heads that lack what they need', () => {
    const head = samples['OpenStream'] as OpenStream
    const open = samples['OpenChannel'] as OpenChannel
    const withStream = (fields: object) => code(() => forwardOf({ ...head, details: { ...head.details, ...fields } }))
    const withChannel = (fields: object) => code(() => channelOf({ ...open, details: { ...open.details, ...fields } }))
    for (const check of [withStream, withChannel]) {
      for (const hop of [0, 2, '1', null]) expect(check({ hop }), `hop ${hop}`).to.equal('cluster.loop')
      for (const fields of [{ session: 1 }, { timeout: 0 }, { timeout: '9' }, { details: 'x' }, { details: null }])
        expect(check(fields), JSON.stringify(fields)).to.equal('protocol.malformed')
      expect(check({})).to.equal('none')
    }
    expect(withStream({ spec: undefined })).to.equal('protocol.malformed')
    for (const end of [undefined, 'both']) expect(withChannel({ end })).to.equal('protocol.malformed')
    expect(code(() => probeOf({ ...open, details: { session: 's1', ms: 1 } }))).to.equal('channel.unknown')
    expect(code(() => probeOf(samples['Probe'] as OpenChannel))).to.equal('none')
  })
})
