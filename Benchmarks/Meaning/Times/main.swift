// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core

#if canImport(Glibc)
    import Glibc
#endif

/// embedding-times FOLDER ROUNDS: reads texts, a line each, and prints for each its tokens and the median of its embedding in
/// milliseconds. `meaning.py` runs it in turns with onnxruntime.
let arguments = CommandLine.arguments
guard arguments.count == 3, let rounds = Int(arguments[2]), rounds > 0 else {
    print("usage: embedding-times FOLDER ROUNDS")
    exit(2)
}
let model = try ModelFolder.load(arguments[1])
let clock = ContinuousClock()
while let text = readLine() {
    _ = model.embed(text)
    let times = (0..<rounds).map { _ in
        let start = clock.now
        _ = model.embed(text)
        return (clock.now - start) / .milliseconds(1)
    }.sorted()
    print(model.tokens(text).count, times[times.count / 2])
}
