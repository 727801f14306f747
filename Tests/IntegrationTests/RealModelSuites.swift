// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

/// The suites in which a real llama-server computes: one after the other, as each of them takes all cores, and two at once are too slow for
/// their clients' patience.
@Suite(.serialized) enum RealModelSuites {}
