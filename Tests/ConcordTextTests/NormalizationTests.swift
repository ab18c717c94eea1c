import ConcordCheckpoint
import ConcordCore
import ConcordText
import Testing

@Suite struct NormalizationTests {
    private static let bases = Array(
        "AEIOUCNSZaeioucnsz\u{3B1}\u{3C5}\u{3C9}\u{1100}\u{1161}\u{11A8}\u{AC00}\u{304B}\u{30CF}\u{FF76}\u{FF8A}"
            .unicodeScalars)

    /// The texts of `scripts/golden/make_unicode.py`.
    private static func text(_ name: String) -> [Unicode.Scalar] {
        let assigned = (0..<0x110000 as Range<UInt32>).compactMap(Unicode.Scalar.init).filter { scalar in
            scalar.properties.age.map { $0.major <= 14 } ?? false && scalar.properties.generalCategory != .unassigned
        }
        guard name == "marks" else {
            func key(_ scalar: Unicode.Scalar) -> UInt64 { UInt64(scalar.value) * 2_654_435_761 % (1 << 32) }
            return assigned.sorted { (key($0), $0.value) < (key($1), $1.value) }
        }
        let marks =
            assigned.filter { $0.properties.canonicalCombiningClass != .notReordered }
            + "\u{1161}\u{11A8}\u{11BF}\u{FF9E}\u{FF9F}".unicodeScalars
        var text: [Unicode.Scalar] = []
        for index in 0..<50_000 {
            text.append(bases[7 * index % bases.count])
            text.append(marks[31 * index % marks.count])
            text.append(marks[(17 * index + 5) % marks.count])
        }
        return text
    }

    private func hash(_ text: [Unicode.Scalar]) -> String {
        FileHash(.sha256, of: Array(String(String.UnicodeScalarView(text)).utf8)).hexadecimal
    }

    @Test(arguments: ["all", "marks"]) func formsEqualThoseOfPython(_ name: String) throws {
        let expected = try #require(try Golden.json("normal-forms.json")[name])
        let text = Self.text(name)
        try #require(hash(text) == expected["text"]?.string)
        for form in [Normalization.Form.c, .d, .kc, .kd] {
            #expect(hash(Normalization.mapped(text[...], form)) == expected[form.rawValue]?.string, "\(form.rawValue)")
        }
    }

    /// What sorts marks by insertion takes hours for it.
    @Test(.timeLimit(.minutes(1))) func aMillionMarksAreSorted() {
        let above = Unicode.Scalar(0x301 as UInt16)!, below = Unicode.Scalar(0x323 as UInt16)!, count = 500_000
        let text =
            ["b" as Unicode.Scalar] + Array(repeating: above, count: count) + Array(repeating: below, count: count)
        let expected =
            ["b" as Unicode.Scalar] + Array(repeating: below, count: count) + Array(repeating: above, count: count)
        #expect(Normalization.mapped(text[...], .d) == expected)
        // U+1E05 is b with a dot below.
        #expect(Normalization.mapped(text[...], .c) == [Unicode.Scalar(0x1E05 as UInt16)!] + expected.dropFirst(2))
    }
}
