/** `npm run fuzz -- --help`: random peers against every face. Prints the seed of what it finds. */
import { parseArgs } from 'node:util'
import { fuzz } from './fuzzer.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    face: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false }
  }
})

if (values.help) {
  console.log(`npm run fuzz -- [options]
  --seconds N   time, and one round at least (default: 60)
  --seed N      first case; the same seed gives the same cases (default: by the time)
  --face A,B    only these faces (default: all; an unknown name lists them)
  --trace       print the seed of each round`)
  process.exit(0)
}

const seed = Number(values.seed)
console.log(`seed ${seed}, ${values.seconds} s`)
try {
  const onRound = values.trace ? { onRound: (at: number) => console.log(`--seed ${at}`) } : {}
  const cases = await fuzz({ seconds: Number(values.seconds), seed, face: values.face, ...onRound })
  console.log(`${cases} cases, no fault`)
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
