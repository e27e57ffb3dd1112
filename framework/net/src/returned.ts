/** Milliseconds between two checks. */
const CHECK_MS = 20

/**
 * Resolves when `found` answers true, or with `returning` of a {@link ListenHost}: for visitors of a proxy whose client is about to
 * come back to this process. Rejects as `found` does.
 */
export const returned = async (found: () => boolean | Promise<boolean>, returning: Promise<void>): Promise<void> => {
  let over = false
  const end = (): void => {
    over = true
  }
  returning.then(end, end)
  while (!over && !(await found())) await new Promise((resolve) => void setTimeout(resolve, CHECK_MS))
}
