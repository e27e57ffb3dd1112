import { readFile, writeFile } from 'node:fs/promises'
import { call } from './call.js'
import { decodeWav, encodeWav, makeTone } from './wav.js'

/** `node dist/main.js [heard.wav] [said.wav]`: without a file to say, three seconds of a tone. */
const [to = 'heard.wav', from] = process.argv.slice(2)
const said = from === undefined ? makeTone(3) : decodeWav(await readFile(from))

// 40 ± 20 ms each way, and 2 % of the packets lost.
const { samples, mode, stats, offset, error, spread } = await call(said, { delay: 20, jitter: 40, loss: 0.02 })
await writeFile(to, encodeWav(samples))

const { received, lost, late, duplicate, reordered, targetDelay } = stats
console.log(
  `heard ${received} frames in ${mode}: ${lost} lost, ${late} late, ${duplicate} twice, ${reordered} overtaken`
)
console.log(`held for ${targetDelay.toFixed(1)} ms beyond the fastest; their times are within ${spread.toFixed(1)} ms`)
console.log(`clock of the speaker: ${offset.toFixed(2)} ms off, at most ${error.toFixed(2)} ms`)
console.log(`written to ${to}`)
