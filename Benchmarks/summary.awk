# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# From lines of `part round name figure value` to a table. Exit status 1: a bar is missed, or an answer was wrong.

BEGIN { FS = "\t" }

{
    value[$1, $2, $3, $4] = $5
    seen[$1] = 1
    if ($2 > rounds) rounds = $2
    if ($4 == "errors" && $5 > 0) problem($1 ": " $5 " wrong answers through " $3 " in round " $2)
    if ($1 != "idle" && $4 == "unfinished" && $5 > 0) problem($1 ": " $5 " answers never ended through " $3 " in round " $2)
    if ($1 != "idle" && $4 == "seconds") measured[$1, $2, $3] = value[$1, $2, $3, "requests"] + value[$1, $2, $3, "tokens"]
    # Every stream must still be open at the end of the idle part.
    if ($1 == "idle" && $4 == "unfinished" && $5 != 1000) problem("idle: only " $5 " streams open through " $3 " in round " $2)
}

function problem(text) { problems = problems "\n" text; failed = 1 }

# Sorts list[1..n].
function sort(list, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = list[i]
        for (j = i - 1; j > 0 && list[j] > x; j--) list[j + 1] = list[j]
        list[j + 1] = x
    }
}

function middle(list, n) { return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2 }

# The median over rounds; with `base`, of the difference to it.
function median(part, name, figure, base,    i, n, list) {
    for (i = 1; i <= rounds; i++) {
        if (!((part, i, name, figure) in value)) continue
        list[++n] = value[part, i, name, figure] - (base == "" ? 0 : value[part, i, base, figure])
    }
    if (n == 0) return 0
    sort(list, n)
    return middle(list, n)
}

# The median over rounds of routerd's figure by nginx's, with its spread, as text; the number goes to `ratio`.
function ratio_text(part, figure,    i, n, list, below) {
    for (i = 1; i <= rounds; i++) {
        below = value[part, i, "nginx", figure]
        if (below > 0 && value[part, i, "routerd", figure] > 0) list[++n] = value[part, i, "routerd", figure] / below
    }
    if (n < rounds) problem(part ": " figure " is missing in a round")
    if (n == 0) return "none"
    sort(list, n)
    ratio = middle(list, n)
    return sprintf("%.2f (%.2f-%.2f)", ratio, list[1], list[n])
}

function row(label, nginx, routerd, text, bar) { printf "| %s | %s | %s | %s | %s |\n", label, nginx, routerd, text, bar }

# A row of CPU time; bar 0: none is set.
function cost(label, part, figure, bar,    text, verdict) {
    if (!seen[part]) return
    text = ratio_text(part, figure)
    if (bar > 0) {
        verdict = sprintf("at most %.1f: %s", bar, ratio <= bar ? "met" : "MISSED")
        if (!(ratio <= bar)) failed = 1
    }
    row(label, sprintf("%.1f", median(part, "nginx", figure)), sprintf("%.1f", median(part, "routerd", figure)), text, verdict)
}

function added(label, part, figure,    p50, p99) {
    if (!seen[part]) return
    p50 = figure "_p50_us"
    p99 = figure "_p99_us"
    row(label, both(part, "nginx", p50, p99), both(part, "routerd", p50, p99), "", "")
}

function both(part, name, p50, p99) {
    return sprintf("%+.0f / %+.0f", median(part, name, p50, "direct"), median(part, name, p99, "direct"))
}

function rate(name,    i, n, list) {
    for (i = 1; i <= rounds; i++) list[++n] = value["unary", i, name, "requests"] / value["unary", i, name, "seconds"]
    sort(list, n)
    return sprintf("%.0f", middle(list, n))
}

function memory(name) { return median("idle", name, "rss_kib") }

END {
    for (run in measured) {
        split(run, part, SUBSEP)
        if (!measured[run]) problem(part[1] ": nothing was counted through " part[3] " in round " part[2])
    }
    row("median over " rounds " rounds", "nginx", noise ? "a second nginx" : "routerd", "ratio (min-max)", "bar")
    row("---", "---:", "---:", "---:", "---")
    cost("CPU per request, not streamed, 64 connections, µs", "unary", "cpu_us_per_request", 2.0)
    cost("CPU per token, 32 streams, µs", "stream32", "cpu_us_per_token", 1.3)
    cost("CPU per token, 1,000 streams, µs", "stream1000", "cpu_us_per_token", 1.3)
    if (seen["unary"]) row("requests per second, one core", rate("nginx"), rate("routerd"), "", "")
    added("added time to first byte, 16 streams, p50 / p99, µs", "latency", "first_byte")
    added("added per token, 16 streams, p50 / p99, µs", "latency", "token_delay")
    added("added per token, 32 streams, p50 / p99, µs", "stream32", "token_delay")
    added("added per token, 1,000 streams, p50 / p99, µs", "stream1000", "token_delay")
    if (seen["idle"]) {
        row("memory, 1,000 idle streams, MiB", sprintf("%.1f", memory("nginx") / 1024), sprintf("%.1f", memory("routerd") / 1024),
            ratio_text("idle", "rss_kib"), "")
        row("of it for each stream, KiB", sprintf("%.1f", (memory("nginx") - median("idle0", "nginx", "rss_kib")) / 1000),
            sprintf("%.1f", (memory("routerd") - median("idle0", "routerd", "rss_kib")) / 1000), "", "")
    }
    if (problems != "") print problems
    exit failed
}
