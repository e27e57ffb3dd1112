import type { CertificateView } from '../schemas.js'
import { ListView } from './lists.js'
import type { Tab } from './view.js'

const day = (time: number | undefined): string => (time === undefined ? '–' : new Date(time).toLocaleDateString())

/** Certificates that an authority issues for hosts of this server. */
export const certificates: Tab = {
  id: 'certificates',
  title: 'Certificates',
  exists: ({ capabilities }) => [...capabilities].some((one) => one.startsWith('certificates:')),
  open: (host) =>
    new ListView<CertificateView>(host, {
      title: 'Certificates',
      path: '/v1/certificates',
      every: 5000,
      searchHint: 'host, source, state',
      empty: 'No published host has a certificate from an authority.',
      columns: [
        { title: 'Host', width: 'minmax(140px, 2fr)', text: ({ host: name }) => name },
        { title: 'State', width: '90px', text: ({ state }) => state },
        {
          title: 'Expires',
          width: 'minmax(110px, 1fr)',
          text: ({ expires }) => (expires === undefined ? 'no certificate yet' : day(expires)),
          sort: ({ expires = 0 }) => expires
        },
        {
          title: 'Next order',
          width: 'minmax(110px, 1fr)',
          wide: true,
          text: ({ next }) => day(next),
          sort: ({ next = Number.POSITIVE_INFINITY }) => next
        },
        { title: 'Last error', width: 'minmax(140px, 2fr)', wide: true, text: ({ error }) => error?.message ?? '' },
        { title: 'Source', width: '90px', wide: true, text: ({ source }) => source }
      ],
      name: ({ host: name }) => name,
      actions: () => []
    })
}
