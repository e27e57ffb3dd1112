import crypto, { type BinaryLike, type ScryptOptions } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

type Callback = (error: Error | null, key: Buffer) => void

/**
 * Has `scrypt` derive a key once per process for the same arguments: specs use the same few secrets again and again, at 40 ms of CPU
 * each. The answer stays asynchronous, and each caller gets a buffer of its own.
 */
export const rememberDerivedKeys = (): void => {
  const { scrypt } = crypto
  const keys = new Map<string, Buffer>()
  const remembered = (
    secret: BinaryLike,
    salt: BinaryLike,
    length: number,
    options: ScryptOptions,
    done: Callback
  ): void => {
    const isPlain = typeof secret === 'string' && (typeof salt === 'string' || Buffer.isBuffer(salt))
    if (!isPlain || done === undefined) {
      scrypt(secret, salt, length, options, done)
      return
    }
    const id = JSON.stringify([secret, salt, length, options])
    const known = keys.get(id)
    if (known !== undefined) {
      setImmediate(done, null, Buffer.from(known))
      return
    }
    scrypt(secret, salt, length, options, (error, key) => {
      if (error === null) keys.set(id, Buffer.from(key))
      done(error, key)
    })
  }
  crypto.scrypt = remembered as typeof scrypt
  syncBuiltinESMExports()
}
