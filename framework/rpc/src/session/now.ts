/** Milliseconds since the epoch that never step back, fractions included. */
export const now = (): number => performance.timeOrigin + performance.now()
