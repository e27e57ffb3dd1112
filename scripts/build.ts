/** `npm run build`: the declarations and the code of every package. Does only what is not up to date. */
import { build } from './build/index.js'

try {
  await build((line) => console.log(line))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
