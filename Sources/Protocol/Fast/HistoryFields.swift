// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

// As `SnapshotFields`, for the last minutes, which a console asks for every few seconds.

extension HistoryInfo.Series: WireRow {
    static let fields: [WireField<HistoryInfo.Series>] = [
        WireField("answer_ms", \.answerMs), WireField("failures", \.failures), WireField("in_flight", \.inFlight), WireField("requests", \.requests),
        WireField("tokens", \.tokens),
        WireField("ttft_ms", \.ttftMs), WireField("waiting", \.waiting),
    ]

    static let blank = HistoryInfo.Series()
}

extension HistoryInfo: WireRow {
    static let fields: [WireField<HistoryInfo>] = [
        WireField("endpoints", \.endpoints), WireField("fleet", \.fleet), WireField("hit_rate", \.hitRate), WireField("schema", \.schema),
        WireField("step_s", \.stepS),
    ]

    static let blank = HistoryInfo(stepS: 0)
}
