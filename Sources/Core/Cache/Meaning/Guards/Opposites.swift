// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A word without its endings, coarsely: enough for tables to find `enabling` under `enable`.
enum Stem {
    static func of(_ word: String) -> String {
        guard word.count > 4, word.utf8.allSatisfy({ $0 < 0x80 }) else { return word }
        for (ending, instead) in [("ies", "y"), ("ing", ""), ("ied", "y"), ("ed", ""), ("es", ""), ("s", ""), ("ly", ""), ("e", "")] {
            guard word.hasSuffix(ending), word.count - ending.count >= 3, !word.hasSuffix("ss") else { continue }
            var stem = String(word.dropLast(ending.count)) + instead
            // stopping, stop
            if ending == "ing" || ending == "ed", stem.count > 3, let last = stem.last, stem.dropLast().last == last, !"lsz".contains(last) {
                stem.removeLast()
            }
            return stem.hasSuffix("e") ? String(stem.dropLast()) : stem
        }
        return word
    }
}

/// Words of which one stands where the other would mean something else.
enum Opposites {
    /// Each row: words of which a question means one. Alternatives of the same meaning stand beside each other, divided by `/`.
    private static let rows = """
        enable/activate/on disable/deactivate/off | before after | first last | start/begin/launch/boot stop/end/finish/shutdown/terminate/halt/kill
        open close/shut | increase/raise/grow/boost decrease/reduce/lower/shrink/drop | add/insert/append remove/delete/erase/drop | up/upward down/downward
        install uninstall | import export | upload download | encrypt decrypt | encode decode | compress decompress/extract/unzip | lock unlock
        maximum/max/largest/biggest/highest/most/longest/tallest/greatest minimum/min/smallest/lowest/least/shortest | hot/warm cold/cool | buy/purchase sell
        best worst | good bad | better worse | cheap/cheapest/affordable expensive/priciest/costly | easy/easiest/simple hard/hardest/difficult/complicated | fast/quick/faster/speed slow/slower
        left right | north south | east west | northern southern | eastern western | inside/indoor/indoors outside/outdoor/outdoors | above below/beneath/under | over under
        more less/fewer | many few | early/earlier late/later | old/older/oldest new/newer/newest/young/youngest | big/large/larger small/tiny/little/smaller | high low | long short
        strong/stronger weak/weaker | heavy/heavier light/lighter | wet dry | full empty | true false | win lose | love/like hate/dislike | pros/advantages/benefits cons/disadvantages/drawbacks/downsides
        advantage/benefit disadvantage/drawback/downside | legal illegal | safe/safely dangerous/unsafe/risky | possible impossible | public private | internal external | input output
        parent child | mother father | brother sister | husband wife | son daughter | male/man/men/boy/boys female/woman/women/girl/girls | uncle aunt | king queen
        allow/permit/whitelist forbid/block/deny/ban/blacklist | accept reject/decline | send receive | lend borrow | teach learn | push pull | read write | save load | show/display/reveal hide
        create/make/build destroy/delete/demolish | attach detach | connect disconnect | subscribe unsubscribe | login/log-in/signin logout/log-out/signout | mount unmount | merge split | pack unpack
        ascending descending | asc desc | horizontal/horizontally vertical/vertically | row/rows column/columns | even odd | positive negative | multiply divide | addition subtraction | sum difference | plus minus
        local remote | client server | sender receiver/recipient | employer employee | landlord tenant | teacher student | doctor patient | seller buyer | lender borrower | plaintiff defendant
        gain/gaining lose/losing/loss | arrive/arrival depart/departure/leave | entry/entrance/enter exit | import export | deposit withdraw/withdrawal | credit debit | asset liability | profit loss | revenue expense/cost
        morning evening/night/afternoon | day night | summer winter | spring autumn/fall | sunrise sunset | breakfast lunch dinner | today tomorrow yesterday | daily weekly monthly yearly/annually
        raw cooked | boil fry bake grill/roast steam | vegetarian vegan | gluten dairy lactose | sweet sour bitter salty | dog cat horse bird | beginner/beginners expert/advanced/experts | cause/causes effect/effects/symptom/symptoms treatment/treat/cure prevention
        freeze thaw/defrost | charge discharge | inhale exhale | acid/acidic base/alkaline | liquid solid gas | mitosis meiosis | artery/arteries vein/veins | virus bacteria/bacterium fungus
        forward backward/back/reverse | forwards backwards | upgrade downgrade | update rollback/revert | commit revert | undo redo | cut copy paste | zoom-in zoom-out | minimize maximize | mute unmute | pause resume
        copy move rename | backup restore | sync/synchronous async/asynchronous | static dynamic | mutable immutable | array/list dictionary/map/hashmap set tuple | stack queue | string integer/int float/double boolean/bool | tcp udp | http https | ipv4 ipv6
        inner outer | select insert update delete | get post put patch | primary foreign | unique duplicate/duplicates | hire fire/dismiss | promote demote | full-time part-time | gross net | fixed variable | short-term long-term | inhabitants/population area/size
        birth/born death/die/died | marry/marriage/married divorce/divorced | author/write director/direct singer/sing painter/paint | invent discover | capital currency population language president anthem flag area | symptom cause | height weight age length width depth
        singular plural | noun verb adjective adverb | past present future | formal/formally informal/informally/casual | synonym antonym | translate summarize/summarise paraphrase | shorten/shorter lengthen/longer/expand | question answer
        """

    /// Stems to their row and place in it.
    private static let places: [String: [(row: Int, place: Int)]] = {
        var places: [String: [(row: Int, place: Int)]] = [:]
        let all = rows.split(whereSeparator: { $0 == "|" || $0 == "\n" })
        for (row, text) in all.enumerated() {
            for (place, group) in text.split(separator: " ").enumerated() {
                for word in group.split(separator: "/") {
                    for form in Set([String(word), Stem.of(String(word))]) { places[form, default: []].append((row, place)) }
                }
            }
        }
        return places
    }()

    /// One says one of a row, the other says another, and neither says both.
    static func differ(_ left: Set<String>, _ right: Set<String>) -> Bool {
        let (one, other) = (found(left), found(right))
        return one.contains { row, places in
            guard let others = other[row] else { return false }
            return places.isDisjoint(with: others)
        }
    }

    private static func found(_ words: Set<String>) -> [Int: Set<Int>] {
        var found: [Int: Set<Int>] = [:]
        for word in words { for (row, place) in places[word] ?? [] { found[row, default: []].insert(place) } }
        return found
    }
}

/// Which way: from this to that, this rather than that.
enum Direction {
    private static let ways: Set<String> = ["to", "into", "onto"]
    private static let comparisons: Set<String> = ["than", "vs", "versus", "over", "against", "beat", "beats", "defeat", "defeats"]

    static func differ(_ left: [String], _ right: [String]) -> Bool {
        let (one, other) = (pairs(left), pairs(right))
        if one.contains(where: { pair in pair.0 != pair.1 && other.contains { $0.0 == pair.1 && $0.1 == pair.0 } && !other.contains { $0 == pair } })
        {
            return true
        }
        // The same words around a comparison, in another order.
        guard left.contains(where: comparisons.contains), right.contains(where: comparisons.contains) else { return false }
        let (first, second) = (telling(left), telling(right))
        return first != second && first.sorted() == second.sorted()
    }

    private static func telling(_ words: [String]) -> [String] { words.filter { !LanguageGuess.small.contains($0) }.map { Stem.of($0) } }

    /// The words around what says where it goes.
    private static func pairs(_ words: [String]) -> [(String, String)] {
        var pairs: [(String, String)] = []
        for (index, word) in words.enumerated() where ways.contains(word) && index > 0 {
            guard let before = words[..<index].last(where: { !LanguageGuess.small.contains($0) }),
                let after = words[(index + 1)...].first(where: { !LanguageGuess.small.contains($0) })
            else { continue }
            pairs.append((Stem.of(before), Stem.of(after)))
        }
        return pairs
    }
}

/// What a question asks for.
enum QuestionKind {
    static func kind(of words: [String]) -> String? {
        for (index, word) in words.enumerated() {
            switch word {
            case "who", "whom", "whose", "wer", "qui", "quien", "quién": return "person"
            case "when", "wann", "quand", "cuando", "cuándo": return "time"
            case "where", "wo", "où", "donde", "dónde": return "place"
            case "why", "warum", "pourquoi": return "reason"
            case "how" where index + 1 < words.count:
                switch words[index + 1] {
                case "many", "much", "long", "far", "old", "tall", "often", "big", "deep", "heavy", "fast": return "how " + words[index + 1]
                default: return nil
                }
            default: continue
            }
        }
        return nil
    }
}
