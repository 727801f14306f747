// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The names of the views, with their numbers. Also tells what a click hit.
enum TabLine {
    struct Tab {
        var view: View
        var start: Int
        var text: String
    }

    static func tabs(_ model: Model, columns: Int) -> [Tab] {
        func line(_ name: (View) -> String, gap: Int) -> [Tab]? {
            var start = 0
            let tabs = View.allCases.map { view in
                let text = name(view)
                defer { start += text.count + gap }
                return Tab(view: view, start: start, text: text)
            }
            return start - gap <= columns ? tabs : nil
        }
        return line({ " \($0.rawValue) \($0.title)\(count($0, model)) " }, gap: 1)
            ?? line({ " \($0.rawValue) \($0.title)\(count($0, model)) " }, gap: 0)
            // How many endpoints there are changes seldom, and the strip below says it too.
            ?? line({ " \($0.rawValue) \($0.title)\($0 == .endpoints ? "" : count($0, model)) " }, gap: 0)
            ?? line({ " \($0.rawValue) \($0.title) " }, gap: 0)
            ?? line({ $0 == model.view ? " \($0.rawValue) \($0.title) " : " \($0.rawValue) " }, gap: 0)
            ?? line({ $0 == model.view ? "\($0.rawValue) \($0.title)" : "\($0.rawValue)" }, gap: 1)
            ?? line({ "\($0.rawValue)" }, gap: 1) ?? []
    }

    /// What is worth knowing of a view without going there.
    private static func count(_ view: View, _ model: Model) -> String {
        guard let status = model.snapshot?.status else { return "" }
        switch view {
        case .endpoints: return " \(status.endpoints.count)"
        case .requests: return " \(status.requests.open)"
        case .queue: return " \(status.queue.waiting)"
        default: return ""
        }
    }
}

func drawTabs(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    guard !area.isEmpty else { return }
    for tab in TabLine.tabs(model, columns: area.columns) {
        screen.put(tab.text, in: area, column: tab.start, role: tab.view == model.view ? .tab : .dim)
    }
}
