import reference from '../../framework/config/scripts/reference.js'
import type { Page } from './page.js'

/** docs/reference/config.md, from the schemas of the configuration. */
const page: Page = reference

export default page
