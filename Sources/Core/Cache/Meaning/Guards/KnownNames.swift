// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Names that people write without a capital: places, languages, products. Names with one are found by that.
enum KnownNames {
    private static let places = """
        afghanistan albania algeria argentina armenia australia austria azerbaijan bangladesh belarus belgium bolivia bosnia botswana brazil bulgaria cambodia cameroon canada
        chile china colombia croatia cuba cyprus czechia denmark ecuador egypt england estonia ethiopia finland france georgia germany ghana greece guatemala haiti honduras
        hungary iceland india indonesia iran iraq ireland israel italy jamaica japan jordan kazakhstan kenya korea kuwait laos latvia lebanon libya lithuania luxembourg
        madagascar malaysia mali malta mexico moldova mongolia morocco mozambique myanmar namibia nepal netherlands nicaragua nigeria norway oman pakistan panama paraguay peru
        philippines poland portugal qatar romania russia rwanda scotland senegal serbia singapore slovakia slovenia somalia spain sudan sweden switzerland syria taiwan tanzania
        thailand tunisia turkey uganda ukraine uruguay usa uk uzbekistan venezuela vietnam wales yemen zambia zimbabwe america europe africa asia antarctica
        paris london berlin madrid rome vienna amsterdam brussels lisbon dublin prague warsaw budapest athens stockholm oslo copenhagen helsinki moscow kyiv istanbul ankara
        tokyo osaka kyoto beijing shanghai delhi mumbai bangkok jakarta seoul manila hanoi sydney melbourne canberra auckland wellington toronto montreal vancouver ottawa
        chicago boston seattle houston dallas miami denver philadelphia washington california texas florida york bavaria munich hamburg cologne frankfurt zurich geneva bern
        milan naples venice florence barcelona seville valencia porto lyon marseille cairo nairobi lagos johannesburg dubai doha riyadh tehran baghdad jerusalem havana lima bogota santiago
        mercury venus mars jupiter saturn uranus neptune pluto everest nile amazon danube rhine thames mississippi atlantic pacific
        """
    private static let languages = """
        english german french spanish italian portuguese dutch swedish norwegian danish finnish polish czech hungarian romanian bulgarian greek turkish russian ukrainian arabic
        hebrew persian hindi urdu bengali tamil chinese mandarin cantonese japanese korean vietnamese thai indonesian latin swahili esperanto irish welsh
        """
    private static let things = """
        python java javascript typescript swift kotlin rust ruby perl php haskell scala golang clojure erlang elixir fortran cobol matlab julia lua bash zsh fish powershell
        react angular vue svelte django flask rails laravel spring node nodejs deno numpy pandas pytorch tensorflow keras jquery bootstrap tailwind
        linux windows macos ubuntu debian fedora arch centos alpine android ios iphone ipad chrome firefox safari edge vim emacs vscode xcode
        docker podman kubernetes helm terraform ansible jenkins github gitlab bitbucket git svn mercurial aws azure gcp nginx apache caddy haproxy
        mysql mariadb postgres postgresql sqlite redis mongodb cassandra oracle elasticsearch kafka rabbitmq graphql grpc
        google apple microsoft amazon facebook meta twitter netflix spotify tesla nvidia intel amd samsung sony nintendo playstation xbox whatsapp telegram signal slack zoom teams
        excel word powerpoint outlook gmail photoshop illustrator blender unity unreal gimp figma notion airflow spark hadoop ollama llama mistral gemma gpt claude
        json yaml xml toml csv html css sql markdown latex pdf png jpeg gif svg mp3 mp4 wav zip tar gzip
        bitcoin ethereum dollar euro yen pound paypal visa mastercard ibuprofen paracetamol aspirin insulin penicillin
        hydrogen helium lithium carbon nitrogen oxygen sodium magnesium aluminium aluminum silicon sulfur chlorine potassium calcium iron copper zinc silver gold mercury lead tin nickel uranium
        chicken beef pork lamb fish salmon tuna shrimp tofu rice pasta potato potatoes tomato tomatoes onion garlic carrot spinach broccoli apple apples banana bananas lemon orange oranges strawberry
        football soccer basketball baseball tennis golf hockey cricket rugby volleyball swimming chess poker guitar piano violin drums flute
        """

    static let all: Set<String> = Set((places + " " + languages + " " + things).split(whereSeparator: \.isWhitespace).map { String($0) })
        .subtracting([
            "fish", "word", "lead", "mercury", "edge", "node", "signal", "spring", "swift", "teams", "zoom", "meta", "spark", "visa", "pound",
            "orange", "fish", "tin", "unity", "arch", "drums",
        ])

    /// Names of the same thing.
    private static let same = [
        "js": "javascript", "ts": "typescript", "py": "python", "postgresql": "postgres", "nodejs": "node", "golang": "go", "k8s": "kubernetes",
        "usa": "us", "u.s": "us", "u.s.a": "us", "america": "us", "2fa": "two-factor", "potatoes": "potato", "tomatoes": "tomato", "apples": "apple",
        "bananas": "banana", "oranges": "orange", "aluminum": "aluminium", "soccer": "football", "mandarin": "chinese",
    ]

    static func common(_ name: String) -> String { same[name] ?? name }
}

/// The language of a question by its small words.
enum LanguageGuess {
    private static let words: [(language: String, words: Set<String>)] = [
        (
            "en",
            [
                "the", "is", "are", "of", "and", "to", "how", "what", "do", "does", "i", "my", "a", "an", "can", "you", "it", "for", "with", "which",
                "why", "when", "where",
            ]
        ),
        (
            "de",
            [
                "der", "die", "das", "ist", "und", "wie", "ich", "ein", "eine", "was", "kann", "man", "mein", "meine", "warum", "wo", "wann", "mit",
                "für", "nicht", "sind",
            ]
        ),
        (
            "fr",
            [
                "le", "la", "les", "est", "et", "comment", "je", "un", "une", "que", "quelle", "quel", "mon", "ma", "pourquoi", "où", "avec", "pour",
                "des", "du", "puis-je",
            ]
        ),
        (
            "es",
            [
                "el", "los", "las", "es", "y", "cómo", "como", "un", "una", "qué", "cuál", "mi", "por", "dónde", "cuándo", "con", "para", "del",
                "puedo",
            ]
        ),
        (
            "it",
            ["il", "lo", "gli", "è", "e", "come", "un", "una", "che", "qual", "mio", "mia", "perché", "dove", "quando", "con", "per", "di", "posso"]
        ),
        (
            "pt",
            ["o", "os", "as", "é", "e", "como", "um", "uma", "que", "qual", "meu", "minha", "onde", "quando", "com", "para", "do", "da", "posso"]
        ),
        ("nl", ["de", "het", "een", "is", "en", "hoe", "ik", "wat", "kan", "mijn", "waarom", "waar", "wanneer", "met", "voor", "niet", "zijn"]),
    ]

    /// Nil where less than two of its words say so, or two languages have as many.
    static func language(of words: [String]) -> String? {
        let counts = Self.words.map { entry in (entry.language, words.count { entry.words.contains($0) }) }.sorted { $0.1 > $1.1 }
        guard counts[0].1 >= 2, counts[0].1 > counts[1].1 else { return nil }
        return counts[0].0
    }

    /// Words that carry no meaning of their own, in English.
    static let small: Set<String> = [
        "the", "a", "an", "is", "are", "was", "were", "be", "of", "and", "or", "to", "how", "what", "do", "does", "did", "i", "my", "me", "you",
        "your",
        "it", "its", "for", "with", "which", "this", "that", "these", "in", "on", "at", "from", "into", "by", "can", "should", "would", "could",
        "please",
    ]
}
