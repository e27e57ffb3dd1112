import { expect } from 'chai'
import { tokens, withWorld } from './world.js'

const files = ['/', '/dashboard.css', '/dashboard.js', '/uplot.js', '/uplot.css', '/icon.svg']

describe('admin-http, the dashboard', () => {
  it(
    'is served without a token, whole, and with nothing from other hosts',
    withWorld(async (world) => {
      for (const file of files) {
        const { status, headers, text } = await world.call(file)
        expect(status, file).equal(200)
        expect(headers['content-security-policy'], file).include("default-src 'none'")
        expect(headers['content-security-policy'], file).include("frame-ancestors 'none'")
        expect(headers['x-content-type-options'], file).equal('nosniff')
        if (file !== '/uplot.js')
          expect(text.replace('http://www.w3.org/2000/svg', ''), file).not.match(/(?:https?:)?\/\/[\w-]+\.\w/)
      }
      const page = (await world.call('/')).text
      for (const [, named] of page.matchAll(/(?:src|href)="([^"#]+)"/g)) expect(files).include(`/${named}`)
      // One file has all of the page.
      const { text } = await world.call('/dashboard.js')
      expect(text).not.match(/^import|\bimport\(/m)
      expect(text.match(/^\/\/ .*\/page\/[\w-]+\.ts$/gm)).length.greaterThan(10)
    })
  )

  it(
    'is not sent again when it has not changed, and has no other file',
    withWorld(async (world) => {
      const { headers } = await world.call('/dashboard.js')
      const again = await world.call('/dashboard.js', { headers: { 'if-none-match': headers.etag as string } })
      expect(again.status).equal(304)
      for (const path of [
        '/package.json',
        '/dashboard.js.map',
        '/../package.json',
        '/%2e%2e/package.json',
        '/index.html'
      ])
        expect((await world.call(path, { token: tokens.read })).status, path).equal(404)
    })
  )
})
