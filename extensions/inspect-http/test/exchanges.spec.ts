import type { ObservedRequest } from '@rystra/plugin'
import { expect } from 'chai'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { Body } from '../src/body.js'
import { curlOf } from '../src/curl.js'
import { displayBody } from '../src/decode.js'
import type { Exchange } from '../src/exchange.js'
import { harOf } from '../src/har.js'
import { liveLines } from '../src/live.js'
import { MASK, maskHeaders, maskTarget, secretNames } from '../src/mask.js'
import { Replayer } from '../src/replay.js'
import { Ring } from '../src/ring.js'
import { viewOf } from '../src/view.js'

const session = { client: { id: 'office' }, identity: { id: 'home' } } as unknown as ObservedRequest['session']

const request = (more: Partial<ObservedRequest> = {}): ObservedRequest => ({
  side: 'server',
  proxy: { name: 'app', kind: 'http' },
  session,
  visitor: { host: '203.0.113.1', port: 1, to: { host: '0.0.0.0', port: 80 } },
  method: 'GET',
  host: 'app.example.org',
  secure: true,
  target: '/',
  headers: [],
  begun: 1000,
  replay: () => Promise.resolve(),
  ...more
})

const bounds = { exchanges: 3, memory: 1_000_000, body: 100 }
const isSecret = secretNames(['x-own-*'])

describe('the ring of exchanges', () => {
  it('is bounded by the number of exchanges and by their memory, and counts what is gone no more', () => {
    const ring = new Ring({ exchanges: 3, memory: 20_000, body: 10_000 }, () => 0)
    const all = Array.from({ length: 5 }, () => ring.add(request()))
    expect([ring.size, ring.get(all[1]?.id as string)]).deep.equal([3, undefined])
    const [, , oldest] = all as [Exchange, Exchange, Exchange]
    oldest.responseData(Buffer.alloc(8000))
    expect(ring.size).equal(3)
    all[4]?.responseData(Buffer.alloc(9999))
    all[4]?.requestData(Buffer.alloc(9999))
    expect(ring.get(oldest.id)).equal(undefined)
    const { bytes } = ring
    oldest.responseData(Buffer.alloc(1000))
    expect(ring.bytes).equal(bytes).and.below(20_000)
    // One alone that is too much goes as well.
    all[4]?.response(200, [['a', 'b'.repeat(30_000)]])
    expect([ring.size, ring.bytes]).deep.equal([0, 0])
  })

  it('has bodies with their true length, and copies of their beginning', () => {
    const body = new Body(5)
    const chunk = Buffer.from('abc')
    expect(body.add(chunk)).equal(3)
    chunk.fill(0)
    expect([body.add(Buffer.from('defg')), body.add(Buffer.from('h'))]).deep.equal([2, 0])
    expect([body.bytes().toString(), body.length, body.truncated]).deep.equal(['abcde', 8, true])
  })

  it('gives each exchange that ends to readers, and to slow ones the newest', async () => {
    const ring = new Ring({ ...bounds, exchanges: 1000 }, () => 2000)
    const over = new AbortController()
    const lines = liveLines(ring, ({ request: { target } }) => target, over.signal)
    expect((await lines.next()).value).equal('\n')
    for (let at = 0; at < 300; at += 1) ring.add(request({ target: `/${at}` })).end()
    expect((await lines.next()).value).equal('/100\n')
    over.abort()
    expect((await lines.next()).done).equal(true)
  })
})

describe('secrets', () => {
  it('are masked by names of fields and of parameters', () => {
    const fields: [string, string][] = [
      ['Authorization', 'a'],
      ['Set-Cookie', 'b'],
      ['X-CSRF-Token', 'c'],
      ['X-Own-Thing', 'd'],
      ['Accept', 'e']
    ]
    expect(maskHeaders(fields, isSecret).map(([, value]) => value)).deep.equal([MASK, MASK, MASK, MASK, 'e'])
    expect(maskTarget('/a?access_token=1&b=2&password&x-own-=3', isSecret)).equal(
      `/a?access_token=${MASK}&b=2&password&x-own-=${MASK}`
    )
    expect(maskTarget('/plain', isSecret)).equal('/plain')
  })
})

describe('bodies for display', () => {
  const shown = async (bytes: Uint8Array, coding?: string, max = 100_000) => {
    const body = new Body(max)
    body.add(bytes)
    return displayBody(body, coding === undefined ? [] : [['Content-Encoding', coding]])
  }

  it('are decoded, several codings deep', async () => {
    expect((await shown(gzipSync('text'), 'gzip')).text).equal('text')
    expect((await shown(deflateSync('text'), 'deflate')).text).equal('text')
    expect((await shown(brotliCompressSync(gzipSync('text')), 'gzip, br')).text).equal('text')
    expect(await shown(Buffer.from([0, 255]))).deep.equal({ length: 2, truncated: false, base64: 'AP8=' })
    expect((await shown(Buffer.from('ü'.repeat(10)), undefined, 3)).text).equal('ü')
  })

  it('that are bombs, broken or of unknown codings stay as they are, with the reason', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000))
    expect((await shown(bomb, 'gzip')).problem).match(/more than 1048576 bytes/)
    expect((await shown(Buffer.from('no gzip'), 'gzip')).problem).match(/cannot be decoded/)
    expect((await shown(Buffer.from('x'), 'constructor')).problem).match(/not known/)
    expect((await shown(Buffer.from('x'), 'br,br,br,br')).problem).match(/too many codings/)
    expect((await shown(gzipSync('text'), 'gzip', 5)).problem).match(/truncated/)
  })
})

describe('exchanges for other programs', () => {
  const exchange = (target: string, body: Uint8Array, headers: [string, string][] = []): Exchange => {
    const made = new Ring(bounds, () => 1500).add(request({ method: 'POST', target, headers }))
    made.requestData(body)
    made.sent()
    made.response(200, [['Content-Type', 'text/html']])
    made.responseData(Buffer.from('<script>alert(1)</script>'))
    made.end()
    return made
  }

  it('are commands that a shell reads as one request, whatever is in it', () => {
    const evil = curlOf(exchange("/a?b='$(id)`id`", Buffer.from("it's\n$HOME"), [['Content-Type', 'a']]), isSecret)
    expect(evil).equal(
      "curl 'https://app.example.org/a?b='\\''$(id)`id`' \\\n  --header 'Content-Type: a' \\\n  --data-raw 'it'\\''s\n$HOME'\n"
    )
    const binary = curlOf(
      exchange('/', Buffer.from([0, 255, 1]), [
        ['X-A', 'b'],
        ['Cookie', 'c']
      ]),
      isSecret
    )
    expect(binary)
      .include("printf %s 'AP8B' | base64 -d | curl")
      .include("--header 'X-A: b'")
      .include(`Cookie: ${MASK}`)
    expect(curlOf(exchange('/', Buffer.alloc(200)), isSecret)).include('# the body of 200 bytes was not kept')
  })

  it('are commands that curl sends as they were: it expands no URL, resolves no path, and adds no type', () => {
    const command = curlOf(exchange('/a/../b?c=[1-9]&token=x', Buffer.from('q'), [['X-Empty', '']]), isSecret)
    expect(command)
      .include('--globoff')
      .include('--path-as-is')
      .include("--header 'Content-Type:'")
      .include("--header 'X-Empty;'")
    expect(curlOf(exchange('/a', Buffer.alloc(0)), isSecret)).not.match(/--(globoff|path-as-is|header)/)
  })

  it('have the port at which the visitor asked, also where Host is that of the service', () => {
    const url = (...headers: [string, string][]) =>
      curlOf(exchange('/', Buffer.alloc(0), headers), isSecret).split(' ')[1]
    expect(url(['Host', 'App.example.org:8443'])).equal("'https://app.example.org:8443/'")
    const rewritten = url(['Host', 'localhost:3000'], ['X-Forwarded-Host', 'app.example.org:8443'])
    expect(rewritten?.trim()).equal("'https://app.example.org:8443/'")
    expect(url(['Host', 'app.example.org:8443/x'])?.trim()).equal("'https://app.example.org/'")
  })

  it('are entries of a HAR with times and masked secrets', async () => {
    const har = (await harOf([exchange('/x?a=1&token=2', Buffer.from('q'))], isSecret)) as {
      log: { entries: Record<string, never>[] }
    }
    expect(har.log.entries[0]).deep.include({
      startedDateTime: '1970-01-01T00:00:01.000Z',
      time: 500,
      timings: { blocked: -1, dns: -1, ssl: -1, connect: 500, send: 0, wait: 0, receive: 0 }
    })
    expect(har.log.entries[0]?.['request']).deep.include({
      url: `https://app.example.org/x?a=1&token=${MASK}`,
      queryString: [
        { name: 'a', value: '1' },
        { name: 'token', value: MASK }
      ],
      postData: { mimeType: '', text: 'q' }
    })
  })

  it('are sent again a few at a time, and end when that fails', async () => {
    const ring = new Ring(bounds, () => 1)
    const codes: string[] = []
    const replayer = new Replayer(ring, (code) => {
      codes.push(code)
      return Object.assign(new Error(code), { code }) as never
    })
    const hanging = ring.add(request({ replay: () => new Promise(() => {}) }))
    for (let count = 0; count < 8; count += 1) void replayer.replay(hanging, {})
    await replayer.replay(hanging, {}).catch(() => {})
    expect(codes).deep.equal(['busy'])
    const failing = new Ring(bounds, () => 1).add(request({ replay: () => Promise.reject(new Error('no')) }))
    const other = new Replayer(ring, () => new Error() as never)
    expect(await other.replay(failing, {}).catch((error: Error) => error.message)).equal('no')
    expect((await viewOf(failing, isSecret)).replayOf).equal(undefined)
  })
})
