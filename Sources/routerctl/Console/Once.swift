// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

extension App {
    /// One frame of a view as lines of text, with every row of its table.
    public static func once(_ options: Options, columns: Int, isASCII: Bool) throws(ControlError) -> [String] {
        let client = try ControlClient(path: options.path)
        let history = try? client.history()
        var model = Model(size: Size(columns: columns, rows: 1))
        let tokens = options.view == .tokens ? try client.tokens() : nil
        _ = try client.subscribe(intervalMs: 1000)
        let snapshot = try client.nextSnapshot(timeoutMs: client.timeoutMs)
        _ = update(&model, .tick(nowMs: 0, wallS: time(nil)))
        model.view = options.view
        if let history { _ = update(&model, .history(history)) }
        if let tokens { _ = update(&model, .tokens(tokens)) }
        _ = update(&model, .snapshot(snapshot, topics: Set(SnapshotTopic.allCases)))
        return printed(model, isASCII: isASCII)
    }

    /// The frame as lines: as many rows as the table has, no keys, no selection.
    static func printed(_ model: Model, isASCII: Bool) -> [String] {
        var model = model
        model.isPrint = true
        model.size.rows = model.table.count + 40
        model.reveal()
        let lines = draw(model, theme: Theme(hasColours: false, isASCII: isASCII)).lines
        return Array(lines[...(lines.lastIndex { !$0.isEmpty } ?? 0)])
    }
}
