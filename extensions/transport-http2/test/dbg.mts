import transportHttp2 from '../src/index.js'
import { SharedPorts } from '@rystra/net'
const added: any[] = []
const clock = { now: Date.now, after: (ms: number, f: () => void) => { const t = setTimeout(f, ms).unref(); return () => clearTimeout(t) } }
transportHttp2.definition.setup({ registries: { transports: { add: (t: any) => added.push(t) } }, options: { maxStreams: 16384, maxOffers: 512, window: 8 << 20, maxBuffer: 256 << 20, openTimeout: 20000, arrivalTimeout: 10000, maxArrivals: 1024, keepAlive: 30000, backlog: 100 }, clock, log: console } as never)
const t = added[1]
const never = new AbortController().signal
let server: any
const l = await t.listen({ host: '127.0.0.1', port: 0 }, (link: any) => { server = link; link.onStream = (s: any) => { s.on('error', console.log); s.on('end', () => console.log('server end')); let n = 0; s.on('data', (c: Buffer) => { n += c.length; 0 }); const w = () => { for (let i = 0; i < 128; i++) s.write(Buffer.alloc(65536)) ; s.end() }; w() } }, never, new SharedPorts())
const c = await t.dial({ host: '127.0.0.1', port: l.address.port }, never)
const s = await c.open(); setTimeout(()=>{console.log('state', c)},1000)
s.on('error', console.log)
let n = 0
s.on('data', (c: Buffer) => { n += c.length; 0 })
s.on('end', () => console.log('client end'))
s.on('close', () => console.log('client close'))
for (let i = 0; i < 128; i++) s.write(Buffer.alloc(65536)); s.end()
await new Promise(r => setTimeout(r, 2000)); process.exit()
