/**
 * For the `pattern` of names: no control characters (C0, DEL, C1), separators of lines, characters that change the direction
 * of the text around them, or halves of surrogate pairs. Names are written to logs and terminals as they are.
 */
export const printablePattern =
  '^(?:[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])*$'

const printable = new RegExp(printablePattern)

/** Whether a text can be shown in a log or on a terminal as it is. See {@link printablePattern}. */
export const isPrintable = (text: string): boolean => printable.test(text)
