// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import GRDB

/// The tables, as a list that only grows.
enum Migrations {
    /// The first one makes the tables of the Python router whose databases are read as they are: where they are there already,
    /// they stay.
    static var all: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("token counts") { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS token_counts (
                        endpoint TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER,
                        PRIMARY KEY (endpoint, model));
                    CREATE TABLE IF NOT EXISTS token_time_series (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT, model TEXT,
                        input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER, timestamp INTEGER);
                    CREATE INDEX IF NOT EXISTS token_time_series_by_time ON token_time_series (timestamp);
                    CREATE INDEX IF NOT EXISTS token_time_series_by_model ON token_time_series (model, timestamp);
                    """)
        }
        return migrator
    }

    /// Kept answers. The file may be the Python router's own, whose tables are left alone.
    static var cache: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("routerd answers") { database in
            try database.execute(
                sql: """
                    CREATE TABLE routerd_answers (
                        key BLOB PRIMARY KEY, namespace TEXT NOT NULL, model TEXT NOT NULL, tenant TEXT NOT NULL,
                        created INTEGER NOT NULL, expires INTEGER, used INTEGER NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL,
                        meaning BLOB
                    ) WITHOUT ROWID;
                    CREATE INDEX routerd_answers_by_use ON routerd_answers (used, created, size);
                    CREATE INDEX routerd_answers_by_expiry ON routerd_answers (expires) WHERE expires IS NOT NULL;
                    CREATE INDEX routerd_answers_by_namespace ON routerd_answers (namespace, model, tenant, created, expires, size);
                    """)
        }
        return migrator
    }
}
