/** What a caller is told whose answer went wrong on its way out. @param incident where the log says why */
export function cannotBeSent(incident: string): string {
  return `The answer could not be sent; the server's log says why under ${incident}.`;
}
