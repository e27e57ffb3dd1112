import { getSystemErrorName } from 'node:util'

/** An error as Node's sockets report it. @param errno above 0 */
export const errnoError = (errno: number): NodeJS.ErrnoException => {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`read ${code}`), { code, errno: -errno, syscall: 'read' })
}
