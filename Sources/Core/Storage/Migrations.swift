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
}
