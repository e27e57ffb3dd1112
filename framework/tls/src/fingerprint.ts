/** A pin as `fingerprintOf` writes it: `sha256:` and 64 lower-case hex digits. */
export const readFingerprint = (text: string): string =>
  `sha256:${text
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
    .toLowerCase()}`
