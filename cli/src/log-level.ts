import { type Logger, type LogLevel, logLevels } from '@rystra/plugin'

/** A log whose level can be changed while it runs, with that of the logs made from it. */
export interface LevelLog extends Logger {
  level: LogLevel
}

/** The part of a {@link LevelLog} that its children share. */
interface Level {
  level: LogLevel
}

const ranks = new Map<string, number>(logLevels.map((level, rank) => [level, rank]))

/** Passes on what is at the level or above. pino gives a child its level once, so the level is kept here. */
const gated = (log: Logger, shared: Level): Logger => {
  const method = (level: LogLevel & keyof Logger): Logger['info'] => {
    const rank = ranks.get(level) ?? 0
    const write = log[level].bind(log) as (...args: unknown[]) => void
    return (...args: unknown[]) => {
      if (rank >= (ranks.get(shared.level) ?? 0)) write(...args)
    }
  }
  return {
    trace: method('trace'),
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
    child: (fields) => gated(log.child(fields), shared)
  }
}

/** A log of which every line is written, held to a level that can be changed. */
export const levelLog = (log: Logger, level: LogLevel): LevelLog => {
  const shared: Level = { level }
  return Object.defineProperty(gated(log, shared), 'level', {
    get: () => shared.level,
    set: (next: LogLevel) => {
      shared.level = next
    }
  }) as LevelLog
}
