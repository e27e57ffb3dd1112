/** The longest time that a timer of Node takes; more fires at once. */
export const MAX_TIMER_MS = 0x7fff_ffff
