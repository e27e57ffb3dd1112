#!/usr/bin/env node
import module from 'node:module'

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
