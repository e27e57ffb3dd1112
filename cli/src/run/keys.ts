import { spawn } from 'node:child_process'
import type { StopSignals } from './stop-signals.js'

/** What keys do while a service is published. */
export interface KeyActions {
  readonly signals: StopSignals
  /** Shows the addresses again. */
  show(): void
  /** The address for a browser, if there is one. */
  url(): string | undefined
}

export const keyHelp = 'keys: u address and QR code, o open in a browser, c clear, q quit'

const opener = process.platform === 'darwin' ? 'open' : process.platform === 'win32' ? 'explorer' : 'xdg-open'

const openBrowser = (url: string): void => {
  const child = spawn(opener, [url], { stdio: 'ignore', detached: true })
  // There is no browser without a desktop.
  child.on('error', () => process.stderr.write(`there is no program to open ${url} with\n`)).unref()
}

/** Reads single keys from the terminal. Returns what puts the terminal back. */
export const readKeys = ({ signals, show, url }: KeyActions): (() => void) => {
  const { stdin } = process
  const raw = (on: boolean): void => {
    try {
      stdin.setRawMode(on)
    } catch {
      // The terminal is gone.
    }
  }
  // In raw mode the terminal makes no signals of Ctrl-C and Ctrl-Z.
  const keys: Readonly<Record<string, () => void>> = {
    '\u0003': () => signals.stop('SIGINT'),
    '\u001a': () => {
      raw(false)
      process.kill(0, 'SIGTSTP')
    },
    q: () => signals.stop('SIGINT'),
    u: show,
    c: () => process.stdout.write('\u001b[2J\u001b[H'),
    o: () => {
      const address = url()
      if (address !== undefined) openBrowser(address)
    }
  }
  const onData = (data: Buffer): void => {
    for (const key of data.toString()) keys[key]?.()
  }
  const resumed = (): void => raw(true)
  raw(true)
  stdin.on('data', onData).on('error', () => {})
  process.on('SIGCONT', resumed)
  return () => {
    process.off('SIGCONT', resumed)
    stdin.off('data', onData).pause()
    raw(false)
  }
}
