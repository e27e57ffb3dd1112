/** Joins descriptors 3 and 4 outside of the process that accepted them. Prints the bytes of each direction. */
import net from 'node:net'

const [a, b] = [3, 4].map((fd) => new net.Socket({ fd, allowHalfOpen: true, readable: true, writable: true }))
const [toB, toA] = process.argv.slice(2).map((text) => Buffer.from(text, 'base64'))
const bytes = [toB.length, toA.length]
const pass = (from, to, first, index) => {
  if (first.length > 0) to.write(first)
  from.on('data', (chunk) => {
    bytes[index] += chunk.length
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.resetAndDestroy())
}
pass(a, b, toB, 0)
pass(b, a, toA, 1)
process.on('exit', () => console.log(JSON.stringify(bytes)))
