/** Names of variables whose values are secret. */
const secretName = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH/i

/** The shortest value that is taken for a secret: shorter ones would take words out of sentences. */
const MIN_SECRET = 8

/** Takes values of secret variables, credentials in URLs and the name of the home folder out of a text. */
export const withoutSecrets = (env: NodeJS.ProcessEnv, home: string): ((text: string) => string) => {
  const values = Object.entries(env).flatMap(([name, value]) =>
    secretName.test(name) && value !== undefined && value.length >= MIN_SECRET ? [value] : []
  )
  // The longest first: one may be part of another.
  values.sort((a, b) => b.length - a.length)
  return (text) => {
    let clean = text
    for (const value of values) clean = clean.replaceAll(value, '[redacted]')
    clean = clean.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1[redacted]@')
    return home.length > 1 ? clean.replaceAll(home, '~') : clean
  }
}
