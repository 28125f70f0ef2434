/** Go's `os.FileMode` bit for each file type of `st_mode`. */
const types = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
  [0o020000, 2 ** 26 + 2 ** 21],
]);

/** setuid, setgid and sticky. */
const specials = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** A Unix mode as Go's `os.FileMode` has it, which clients are told. */
export function goFileMode(mode: number): number {
  let value = (mode & 0o777) + (types.get(mode & 0o170000) ?? 0);
  for (const [unix, go] of specials) if (mode & unix) value += go;
  return value;
}
