/**
 * A form of texts, in which these stand for any characters and for any one; every other character is itself. Both are private to Unicode, so that what a form is made
 * from may hold `*` and `?` that mean themselves.
 */
export const ANY = '\ue000';
export const ONE = '\ue001';

/** The form that a pattern with `*` and `?` describes. */
export function formOf(pattern: string): string {
  return pattern.replaceAll('*', ANY).replaceAll('?', ONE);
}

/** A text of somebody else's as a part of a form: it brings in no wildcards. One that holds those two characters is like no other text. */
export function literally(text: string): string {
  return text.replaceAll(/[\ue000\ue001]/g, '\ufffd');
}

/** Whether a text is of a form. Greedy with one step back: at most the product of both lengths, whatever a pattern's author wrote. */
export function hasForm(form: string, text: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let resume = 0;
  while (position < text.length) {
    const expected = form[at];
    if (expected === ANY) {
      star = at++;
      resume = position;
    } else if (expected !== undefined && (expected === ONE || expected === text[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++resume;
    } else return false;
  }
  while (form[at] === ANY) at++;
  return at === form.length;
}
