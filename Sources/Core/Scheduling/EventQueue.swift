// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What happens next, a binary heap. Events of the same time come in the order in which they were added.
package struct EventQueue<Event> {
    private var heap: [(at: Double, number: Int, event: Event)] = []
    private var number = 0

    package init() {}

    package var isEmpty: Bool { heap.isEmpty }

    package mutating func add(_ event: Event, at: Double) {
        heap.append((at, number, event))
        number += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isBefore(child, parent) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    package mutating func next() -> (at: Double, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) { least = child }
                guard least != parent else { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.at, first.event)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        heap[left].at != heap[right].at ? heap[left].at < heap[right].at : heap[left].number < heap[right].number
    }
}
