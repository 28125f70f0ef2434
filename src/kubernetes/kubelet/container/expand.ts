/**
 * Replaces `$(NAME)` by the variable's value; `$$` stands for `$`, and what names no variable stays as it is. Behaviour: kubernetes `third_party/forked/golang/expansion`.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(\$|\(([^)]*)\))/g, (whole: string, operator: string, name: string | undefined) => {
    if (operator === '$') return '$';
    return variables.get(name ?? '') ?? whole;
  });
}
