import { request } from './api.js'
import { confirmed, el, toast } from './dom.js'
import { openExchange } from './exchange.js'
import { base, type ExchangeRow, failed, ms } from './inspect-api.js'
import { bytes, clock } from './format.js'
import { ListView } from './lists.js'
import type { Tab } from './view.js'

const download = async (search: string): Promise<void> => {
  const archive = await request<object>(`${base}/har${search === '' ? '' : `?${new URLSearchParams({ q: search })}`}`)
  const url = URL.createObjectURL(new Blob([JSON.stringify(archive, null, 2)], { type: 'application/json' }))
  el('a', { href: url, download: 'requests.har' }).click()
  URL.revokeObjectURL(url)
}

const clear = async (refresh: () => void): Promise<void> => {
  if (!(await confirmed('Forget all requests that were kept?', 'Forget'))) return
  await request(`${base}/exchanges`, 'DELETE')
  toast('No request is kept any more.')
  refresh()
}

/** HTTP requests that were seen. */
export const requests: Tab = {
  id: 'requests',
  title: 'Requests',
  exists: ({ capabilities }) => capabilities.has('admin:inspect'),
  open: (host) =>
    new ListView<ExchangeRow>(host, {
      title: 'Requests',
      path: `${base}/exchanges`,
      searchHint: 'URL, heads, bodies',
      empty: 'No request was seen yet.',
      every: 2000,
      name: ({ method, url }) => `${method} ${url}`,
      actions: () => [],
      open: (row, to, refresh) => void openExchange(row, to, refresh).catch(failed),
      tools: ({ may }, refresh, search) => [
        ...(may('operate')
          ? [el('button', { type: 'button', onclick: () => void clear(refresh).catch(failed) }, 'Forget all')]
          : []),
        el(
          'button',
          {
            type: 'button',
            title: 'What is listed, as an HTTP Archive',
            onclick: () => void download(search()).catch(failed)
          },
          'Export HAR'
        )
      ],
      columns: [
        { title: 'Time', width: '90px', wide: true, text: ({ time }) => clock(time), sort: ({ time }) => -time },
        { title: 'Method', width: '64px', text: ({ method }) => method },
        { title: 'URL', width: 'minmax(140px, 3fr)', text: ({ url }) => url },
        {
          title: 'Status',
          width: 'minmax(50px, 0.6fr)',
          text: ({ status, error, protocol }) => error ?? protocol ?? String(status),
          sort: ({ status }) => status
        },
        {
          title: 'Duration',
          width: '90px',
          number: true,
          wide: true,
          text: ({ duration }) => (duration === undefined ? 'open' : ms(duration)),
          sort: ({ duration = 0 }) => duration
        },
        {
          title: 'Size',
          width: '80px',
          number: true,
          wide: true,
          text: ({ responseLength }) => bytes(responseLength),
          sort: ({ responseLength }) => responseLength
        },
        { title: 'Proxy', width: 'minmax(80px, 1fr)', wide: true, text: ({ proxy }) => proxy },
        { title: 'Visitor', width: 'minmax(100px, 1fr)', wide: true, text: ({ visitor }) => visitor }
      ]
    })
}
