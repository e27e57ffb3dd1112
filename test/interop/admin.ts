/**
 * The dashboard of admin-http in a real chromium: every view, light and dark, from 360 px to 4K, by keyboard, with lists of
 * 10,000 rows; requests of a tunnel that are searched, exported and sent again. Before it 10,000 readers of events and 10,000 dashboards at once. Not part of `npm test`: it needs the Debian
 * package `chromium`, and says aloud when that is not there.
 *
 *     npm run interop:admin                 # needs a build
 *     RYSTRA_SCREENSHOTS=folder …           # keeps pictures of each view
 */
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'
import { checkFlood } from './admin/flood.js'
import { failed } from './admin/page.js'
import { checkRequests } from './admin/requests.js'
import { checkViews } from './admin/views.js'
import { Chromium } from './visitors/chromium.js'

const scratch = new Scratch()
try {
  await checkFlood(scratch)
} finally {
  await scratch.close()
}
if (which('chromium') === undefined) console.log('– skipped: chromium not found (apt-get install chromium)')
else {
  const scratch = new Scratch()
  try {
    const browser = new Chromium(scratch, 'admin')
    try {
      await checkViews(browser)
      await checkRequests(browser, scratch)
    } finally {
      await browser.close()
    }
  } finally {
    await scratch.close()
  }
}
process.exitCode = failed() === 0 ? 0 : 1
