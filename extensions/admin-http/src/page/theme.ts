const key = 'rystra.theme'
const themes = ['auto', 'light', 'dark'] as const

type Theme = (typeof themes)[number]

const present = (): Theme => themes.find((theme) => theme === localStorage.getItem(key)) ?? 'auto'

/** Puts the chosen theme in force, and says which. */
export const applyTheme = (): Theme => {
  const theme = present()
  if (theme === 'auto') document.documentElement.removeAttribute('data-theme')
  else document.documentElement.setAttribute('data-theme', theme)
  return theme
}

/** Chooses the next theme. */
export const nextTheme = (): void =>
  localStorage.setItem(key, themes[(themes.indexOf(present()) + 1) % themes.length] as string)
