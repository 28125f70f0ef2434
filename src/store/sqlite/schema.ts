import type { DatabaseSync } from 'node:sqlite';
import { DabbaError } from '#base';

/**
 * Version of the data; raised with every change that an older dabba could not read.
 * 1: the tables below are all. 2: a journal goes on where they end (`journal.ts`), so who does not know of it would forget its changes.
 */
const FORMAT_VERSION = 2;
/** "dabb": tells our files from any other SQLite database (`PRAGMA application_id`). */
const APPLICATION_ID = 0x64616262;

/**
 * One row a change, in the order of revisions, and no index: that is in memory (`key-index.ts`). So a small put dirties one page, the last of
 * the log. No row tells the current revision: it is that of the last row, which compaction never removes.
 */
const TABLES = `
  CREATE TABLE log (
    id INTEGER PRIMARY KEY,            -- revision << 20 | place within the revision
    key TEXT NOT NULL,
    create_revision INTEGER NOT NULL,  -- 0: this row deletes the key
    version INTEGER NOT NULL,
    lease TEXT,
    value BLOB                         -- last, so that reading the others skips its overflow pages
  );
  CREATE TABLE lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

/** Makes the tables in a new database, and an older one ours; throws `FailedPrecondition` for a database that is not ours or is newer than we are. */
export function prepareSchema(db: DatabaseSync, path: string): void {
  const applicationId = pragma(db, 'application_id');
  const version = pragma(db, 'user_version');
  if (applicationId === 0 && version === 0 && isEmpty(db)) {
    db.exec(`BEGIN; ${TABLES}
      PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}; COMMIT;`);
    return;
  }
  if (applicationId !== APPLICATION_ID)
    throw new DabbaError('FailedPrecondition', `${path} is a database, but not a dabba store`);
  if (version > FORMAT_VERSION)
    throw new DabbaError(
      'FailedPrecondition',
      `${path} has data format ${version}; this dabba reads up to ${FORMAT_VERSION}. Start the newer version that wrote it`,
    );
  if (version < FORMAT_VERSION) db.exec(`PRAGMA user_version = ${FORMAT_VERSION}`);
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'] === 0;
}
