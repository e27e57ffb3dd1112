#!/usr/bin/env node
import module from 'node:module'

// A container's process 1 ignores signals that it does not handle: until the command has loaded and handles them, they end it.
if (process.pid === 1)
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 }))
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code)
    })
// Stacks name the sources; it costs a start some time.
if (process.argv.includes('--debug')) process.setSourceMapsEnabled(true)
// Compiled code is kept from one start to the next, where Node can do that (22.1).
module.enableCompileCache?.()
try {
  const { main } = await import('#main')
  await main(process.argv.slice(2))
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('/dist/')) throw error
  process.stderr.write('rystra is not built yet: run `npm run build` in the checkout first\n')
  process.exitCode = 1
}
