// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Numbers in words and digits.
enum NumberWords {
    private static let words: [String: String] = {
        let names = [
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
            "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
        ]
        var words = Dictionary(names.enumerated().map { ($1, "\($0)") }, uniquingKeysWith: { first, _ in first })
        // "One" is nearly always a pronoun, and "a second" a moment.
        words["one"] = nil
        for (name, value) in [
            ("thirty", 30), ("forty", 40), ("fifty", 50), ("sixty", 60), ("seventy", 70), ("eighty", 80), ("ninety", 90), ("hundred", 100),
            ("thousand", 1000), ("million", 1_000_000), ("billion", 1_000_000_000), ("dozen", 12), ("twice", 2), ("double", 2), ("triple", 3),
            ("half", 5),
            ("third", 3), ("fourth", 4), ("fifth", 5), ("sixth", 6), ("seventh", 7), ("eighth", 8), ("ninth", 9), ("tenth", 10),
        ] { words[name] = "\(value)" }
        return words
    }()

    static func digits(_ word: String) -> String? { words[word] }

    /// `1,000.50` as `1000.5`; `3rd` as `3`; what goes with it behind: `5km`.
    static func normalised(_ word: String) -> (number: String, rest: String) {
        guard let first = word.firstIndex(where: \.isNumber) else { return (word, "") }
        let before = word[..<first]
        let digits = word[first...].prefix { $0.isNumber || ".,:-/".contains($0) }
        var rest = word[digits.endIndex...]
        if ["st", "nd", "rd", "th"].contains(rest) { rest = "" }
        var number = digits.filter { $0 != "," }
        while let last = number.last, ".:-/".contains(last) { number.removeLast() }
        if number.contains("."), number.split(separator: ".").count == 2, !number.contains(where: { ":-/".contains($0) }) {
            while number.last == "0" { number.removeLast() }
            if number.last == "." { number.removeLast() }
        }
        // Letters before it make it a name: `h264`, `v2`; a unit behind it does not.
        let name = before.filter { $0.isLetter }
        return (name == "v" ? number : name + number + (Units.unit(String(rest)) == nil ? rest.filter(\.isLetter) : ""), String(rest))
    }
}

/// Units, by whatever name.
enum Units {
    private static let rows = """
        km kilometer kilometre kilometers kilometres|m meter metre meters metres|cm centimeter centimetre centimeters centimetres|mm millimeter millimetre millimeters millimetres
        mile miles mi|yard yards yd|foot feet ft|inch inches|kg kilo kilos kilogram kilograms|g gram grams gramme grammes|mg milligram milligrams|lb lbs pound pounds|oz ounce ounces|ton tons tonne tonnes
        l liter litre liters litres|ml milliliter millilitre milliliters millilitres|gallon gallons gal|pint pints|cup cups|tablespoon tablespoons tbsp|teaspoon teaspoons tsp
        c celsius °c|f fahrenheit °f|k kelvin|ms millisecond milliseconds|minute minutes min mins|hour hours h hr hrs|week weeks|month months|year years|century centuries|decade decades
        kb kilobyte kilobytes|mb megabyte megabytes|gb gigabyte gigabytes|tb terabyte terabytes|kib|mib|gib|bit bits|byte bytes|% percent|€ euro euros eur|$ dollar dollars usd|£ gbp|¥ yen jpy|chf franc francs|rupee rupees inr
        mph|kmh km/h|hp horsepower|w watt watts|kw kilowatt kilowatts|kwh|volt volts|amp amps ampere amperes|hz hertz|ghz|mhz|calorie calories kcal|joule joules|acre acres|hectare hectares
        """

    private static let names: [String: String] = {
        var names: [String: String] = [:]
        for row in rows.split(whereSeparator: { $0 == "|" || $0 == "\n" }) {
            let words = row.split(separator: " ")
            for word in words { names[String(word)] = words.first.map { String($0) } }
        }
        return names
    }()

    static func isTime(_ unit: String) -> Bool { ["ms", "minute", "hour", "week", "month", "year", "century", "decade"].contains(unit) }

    static func unit(_ word: String) -> String? { names[word] }
}

/// Days and months.
enum Calendar {
    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
    ]
    private static let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    private static let others: Set = [
        "today", "tomorrow", "yesterday", "tonight", "weekend", "christmas", "easter", "halloween", "thanksgiving", "ramadan", "midnight", "noon",
    ]

    private static let names: [String: String] = {
        var names: [String: String] = [:]
        for name in months + days {
            // A verb more often than a month.
            guard name != "may", name != "march" else { continue }
            names[name] = name
            if !["june", "july"].contains(name) { names[String(name.prefix(3))] = name }
        }
        // Words of their own.
        for word in ["mar", "sun", "sat", "wed", "jan", "dec"] where word == "sun" || word == "sat" || word == "wed" { names[word] = nil }
        for name in others { names[name] = name }
        return names
    }()

    static func date(_ word: String) -> String? { names[word] ?? (word.hasSuffix("s") ? names[String(word.dropLast())] : nil) }
}
