"""The one database of a user, in the host's user directory: opened, brought up to date, set aside where it is damaged.

SQLite in its write-ahead mode: several servers may use it at once, a transaction is on the disk when it is over, and
opening it reads nothing.
"""

import logging
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import folder_paths

log = logging.getLogger("noise_search")

NAME = "noise_search.sqlite3"
PATIENCE = 30.0  # seconds that a transaction of another program is waited for
WAL_PAGES = 16_384  # of 4 KB, before what was written is moved into the database itself: not after every latent
COMPANIONS = ("", "-wal", "-shm")  # files of a database

TABLES = """
CREATE TABLE latents (
    setup TEXT NOT NULL, key TEXT NOT NULL, sigma REAL NOT NULL, seed TEXT NOT NULL, nfe INTEGER NOT NULL,
    size INTEGER NOT NULL, used REAL NOT NULL, mark BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (setup, key)
);
CREATE TABLE measured (
    setup TEXT NOT NULL, key TEXT NOT NULL, judge TEXT NOT NULL, row TEXT NOT NULL, mark BLOB NOT NULL,
    size INTEGER NOT NULL, used REAL NOT NULL, PRIMARY KEY (setup, key, judge)
) WITHOUT ROWID;
CREATE TABLE notes (
    run TEXT NOT NULL, kind TEXT NOT NULL, content TEXT NOT NULL, mark BLOB NOT NULL, size INTEGER NOT NULL,
    used REAL NOT NULL, PRIMARY KEY (run, kind)
) WITHOUT ROWID;
CREATE INDEX latents_used ON latents (used);
CREATE INDEX measured_used ON measured (used);
CREATE INDEX notes_used ON notes (used);
CREATE TABLE held (bytes INTEGER NOT NULL);
INSERT INTO held VALUES (0);
"""
COUNTED = "".join(
    f"CREATE TRIGGER {table}_in AFTER INSERT ON {table} BEGIN UPDATE held SET bytes = bytes + new.size; END;CREATE"
    f" TRIGGER {table}_out AFTER DELETE ON {table} BEGIN UPDATE held SET bytes = bytes - old.size; END;CREATE TRIGGER"
    f" {table}_new AFTER UPDATE OF size ON {table} BEGIN UPDATE held SET bytes = bytes - old.size + new.size; END;"
    for table in ("latents", "measured", "notes")
)
BOOK = """
CREATE TABLE noises (
    id INTEGER PRIMARY KEY AUTOINCREMENT, mark BLOB NOT NULL UNIQUE, recipe TEXT NOT NULL, seed TEXT, score REAL,
    judge TEXT NOT NULL, prompt TEXT NOT NULL, model TEXT NOT NULL, how TEXT NOT NULL, made REAL NOT NULL,
    picture BLOB, size INTEGER NOT NULL
);
"""
MIGRATIONS: tuple[str, ...] = (TABLES + COUNTED, BOOK)  # number k makes version k + 1 of version k
# the table of what the artist keeps: no limit of the store takes it away, and it is saved from a damaged file
FOR_GOOD = "noises"


class Unusable(OSError):
    """The database cannot be used; the message says why."""


def folder(user: str = "") -> Path:
    """Where a user's database lies; "" is the one user of a host without `--multi-user`."""
    base = Path(folder_paths.get_user_directory())
    return (base / user if user else base) / "noise_search"


class Database:
    """A connection, for one thread at a time.

    Args:
        path: The file; made where it is missing, its folder too.
        migrations: That make each version from the one before.

    Raises:
        Unusable: If it was made by a newer version of this pack.
        OSError, sqlite3.Error: If it cannot be opened.
    """

    def __init__(self, path: Path, migrations: tuple[str | Callable[[sqlite3.Connection], None], ...] = MIGRATIONS):
        self.path, self.notes = path, []
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = patiently(lambda: self._opened(migrations))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.notes.append(set_aside(path, error))
            self.connection = patiently(lambda: self._opened(migrations))

    def _opened(self, migrations: tuple) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            check_version(connection, migrations, self.path)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new one: what goes gives its place back
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "wal":
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            connection.execute("PRAGMA synchronous = FULL")  # a power cut costs what is being written, and nothing else
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            if mode != "wal":
                self.notes.append(
                    f"{self.path.parent} takes no write-ahead log ({mode} instead): two servers at once wait for each"
                    " other."
                )
            bring_up_to_date(connection, migrations)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction of all that is written in the block."""
        with transaction(self.connection):
            yield self.connection

    def read(self, query: str, values: tuple = ()) -> list[sqlite3.Row]:
        return self.connection.execute(query, values).fetchall()

    def shrink(self, pages: int = 0) -> None:
        """Gives unused pages back to the disk, so many or all; `execute` would do one of them."""
        self.connection.executescript(f"PRAGMA incremental_vacuum{f'({pages})' if pages else ''}")

    def close(self) -> None:
        self.connection.close()


def patiently(action: Callable[[], Any]) -> Any:
    """What it gives; tried again while others begin the same database, for which SQLite itself does not wait."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))


def is_damage(error: BaseException) -> bool:
    """Whether the file is no database, or a broken one; SQLite has other errors for one that is locked, full or
    unreadable.
    """
    return type(error) is sqlite3.DatabaseError


def set_aside(path: Path, reason: Any) -> str:
    """Renames a damaged one, and begins a new one with what can be read of what was kept for good. Nothing is deleted.
    What to tell the artist.
    """
    aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    for end in COMPANIONS:
        if os.path.exists(f"{path}{end}"):
            os.replace(f"{path}{end}", f"{aside}{end}")
    saved = salvaged(aside, path)
    said = f"What earlier runs kept was damaged ({reason}) and is set aside as {aside.name}; a new store begins."
    said += f" Of the seed book {saved} noises could be read and are kept." if saved else ""
    log.warning("%s", said)
    return said


def salvaged(old: Path, new: Path) -> int:
    """Copies what the artist kept for good out of a damaged file, row by row, as far as it can be read; how many
    rows.
    """
    rows = []
    with closing(sqlite3.connect(old)) as source:
        source.row_factory = sqlite3.Row
        for number in sorted(readable(source)):
            try:
                rows += source.execute(f"SELECT * FROM {FOR_GOOD} WHERE id = ?", (number,)).fetchall()
            except sqlite3.Error:
                continue
    if rows:
        with closing(Database(new)) as database, database.writing() as book:
            for row in rows:
                names = row.keys()
                book.execute(
                    f"INSERT OR IGNORE INTO {FOR_GOOD} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                    tuple(row),
                )
    return len(rows)


def readable(source: sqlite3.Connection) -> set[int]:
    """Ids of the rows before and after the damage."""
    found: set[int] = set()
    for order in ("ASC", "DESC"):
        try:
            for row in source.execute(f"SELECT id FROM {FOR_GOOD} ORDER BY id {order}"):
                found.add(row["id"])
        except sqlite3.Error:
            continue
    return found


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """On the disk as a whole when its block is over, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise


def bring_up_to_date(connection: sqlite3.Connection, migrations: tuple) -> None:
    """Runs the migrations that are missing, each in a transaction of its own; another program may be doing just
    that.
    """
    while (version := connection.execute("PRAGMA user_version").fetchone()[0]) < len(migrations):
        with transaction(connection):
            if connection.execute("PRAGMA user_version").fetchone()[0] == version:
                for statement in statements(migrations[version]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")


def check_version(connection: sqlite3.Connection, migrations: tuple, path: Path) -> None:
    if (version := connection.execute("PRAGMA user_version").fetchone()[0]) > len(migrations):
        raise Unusable(
            f"{path} was made by a newer version of Noise Search (format {version}, this one knows {len(migrations)});"
            " it is left as it is"
        )


def statements(script: str) -> Iterator[str]:
    """The statements of a script: `executescript` would end the transaction."""
    part = ""
    for piece in script.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            if part.strip(" \n;"):
                yield part
            part = ""


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    with closing(Database(path)) as database:
        yield database


def free_space(path: Path) -> int:
    return shutil.disk_usage(path).free
