/** A value that does not fit its schema; the message is Go's. */
export class ConformError extends Error {}
