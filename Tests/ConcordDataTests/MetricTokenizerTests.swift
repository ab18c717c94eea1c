import ConcordData
import Testing

@Suite struct MetricTokenizerTests {
    /// Cases by hand; `|` stands between tokens.
    static let cases: [(text: String, tokens: String)] = [
        // What the peer's tokenizer does.
        ("A man riding a wave on top of a surfboard.", "a|man|riding|a|wave|on|top|of|a|surfboard"),
        ("Two dogs, a cat; and -- a bird: look!?...", "two|dogs|a|cat|and|a|bird|look"),
        ("\"Stop\" sign, 'quoted' ``words''", "stop|sign|quoted|words"),
        ("It's the man's hat, isn't it?", "it|'s|the|man|'s|hat|is|n't|it"),
        ("They're sure we'll see what I'd've done; I'm not", "they|'re|sure|we|'ll|see|what|i|'d|'ve|done|i|'m|not"),
        ("can't won't cannot shouldn't've", "ca|n't|wo|n't|can|not|should|n't|'ve"),
        ("gonna wanna gotta gimme lemme", "gon|na|wan|na|got|ta|gim|me|lem|me"),
        ("the dogs' bowls at five o'clock", "the|dogs|bowls|at|five|o'clock"),
        ("a black-and-white t-shirt", "a|black-and-white|t-shirt"),
        ("3.5 of 1,000 at 10:30, 50% off for $5", "3.5|of|1,000|at|10:30|50|%|off|for|$|5"),
        ("cats & dogs #1 @ home", "cats|&|dogs|#|1|@|home"),
        // Where it differs, as documented.
        ("a sign (red) [old] {new}", "a|sign|red|old|new"),
        ("red and/or blue", "red|and|/|or|blue"),
        ("the U.S. flag at 3 p.m.", "the|u.s|flag|at|3|p.m"),
        ("Mr. Smith", "mr|smith"),
        // Texts that were tokenized before.
        ("a man 's hat that is n't his", "a|man|'s|hat|that|is|n't|his"),
        // Typography, spaces, missing spaces.
        ("It’s a “T‑shirt” – new…", "it|'s|a|t-shirt|new"),
        ("  tabs\tand\r\nlines\u{A0}and\u{3000}more ", "tabs|and|lines|and|more"),
        ("one,two.three", "one|two|three"),
        ("-dash- 'tis snake_case", "dash|tis|snake_case"),
        ("1.", "1"),
        ("", ""), (" .,;:!? ", ""), ("'", ""),
        // Other alphabets, and characters with marks.
        ("Ein Mädchen läuft über die Straße", "ein|mädchen|läuft|über|die|straße"),
        ("Кошка на столе.", "кошка|на|столе"),
        ("cafe\u{301}", "café"),
        ("¿Qué? «oui»", "qué|oui"),
        ("एक लड़का", "एक|लड़का"),
        // Chinese, Japanese, Korean.
        ("一只猫坐在椅子上。", "一|只|猫|坐|在|椅|子|上"),
        ("2只猫，iPhone手机", "2|只|猫|iphone|手|机"),
        ("猫がソファーで寝ている、人々", "猫|が|ソ|フ|ァ|ー|で|寝|て|い|る|人|々"),
        ("高い・青い", "高|い|青|い"),
        ("고양이 한 마리", "고|양|이|한|마|리"),
        // Decomposed, as some file systems write it.
        ("\u{1100}\u{1169}\u{110B}\u{1163}\u{11BC}", "고|양"),
        ("か\u{3099}", "が"),
        ("𠮷野家", "𠮷|野|家"),
        // Symbols and emoji, one token each.
        ("a dog 🐕🐕 👩‍👩‍👧 runs", "a|dog|🐕|🐕|👩‍👩‍👧|runs"),
        ("20°C ± 1 €", "20|°|c|±|1|€"),
    ]

    @Test(arguments: cases) func tokens(text: String, tokens: String) {
        #expect(MetricTokenizer.tokens(of: text) == tokens.split(separator: "|").map(String.init))
    }

    @Test func tokenizingAgainChangesNothing() {
        for (text, _) in Self.cases {
            let tokens = MetricTokenizer.tokens(of: text)
            #expect(MetricTokenizer.tokens(of: tokens.joined(separator: " ")) == tokens)
        }
    }
}
