const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Whether it is a `traceparent` of W3C Trace Context, version 00. */
export const isTraceparent = (text: string): boolean => TRACEPARENT.test(text)
