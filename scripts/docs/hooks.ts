import { hooksPage } from '../../framework/kernel/scripts/hooks-doc.js'
import type { Page } from './page.js'

/** docs/reference/hooks.md, from the kernel's table of hooks. */
const page: Page = { file: 'docs/reference/hooks.md', text: hooksPage }

export default page
