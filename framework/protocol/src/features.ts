/** SPEC 6.2: the client takes proxies that its server adds, as far as it accepts them. */
export const PUSH = 'push'
