/** `stable.example.com` → `com.example.stable`: how a group stands in the name of a definition. */
export function publishedGroup(group: string): string {
  return group.split('.').reverse().join('.');
}
