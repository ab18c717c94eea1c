import ConcordCore
import ConcordData

/// Makes an emoji's captions from its annotations.
public enum EmojiCaptions {
    /// Captions of one emoji in one language: the name (kind `name`), its natural form (`natural`) when it has a
    /// colon, and every keyword (`keyword`) that is neither of them.
    public static func captions(for entry: CLDRAnnotations.Entry, language: String) -> [Caption] {
        var captions: [Caption] = []
        if !entry.name.isEmpty { captions.append(Caption(entry.name, language: language, kind: "name")) }
        if let natural = naturalForm(of: entry.name, language: language) {
            captions.append(Caption(natural, language: language, kind: "natural"))
        }
        var seen = Set(captions.map { comparisonForm(of: $0.text) })
        for keyword in entry.keywords where seen.insert(comparisonForm(of: keyword)).inserted {
            captions.append(Caption(keyword, language: language, kind: "keyword"))
        }
        return captions
    }

    /// A name as a person would write it: "woman firefighter: medium skin tone" becomes "woman firefighter, medium
    /// skin tone", with the comma of the language. Nil for a name without a colon.
    ///
    /// A colon counts when white space follows it, or when it is the full-width one: the German "12:30 Uhr" stays.
    public static func naturalForm(of name: String, language: String) -> String? {
        var parts = [String.UnicodeScalarView()]
        let scalars = Array(name.unicodeScalars)
        for (index, scalar) in scalars.enumerated() {
            let next = index + 1 < scalars.count ? scalars[index + 1] : nil
            if scalar == "\u{FF1A}" || scalar == ":" && next?.properties.isWhitespace == true {
                parts.append(.init())
            } else {
                parts[parts.count - 1].append(scalar)
            }
        }
        guard parts.count > 1 else { return nil }
        return parts.map { String($0).trimmed }.joined(separator: comma(in: language))
    }

    private static func comma(in language: String) -> String {
        switch language.prefix(while: { $0 != "_" && $0 != "-" }) {
        case "zh", "yue": "，"
        case "ja": "、"
        case "ar", "fa", "ps", "sd", "ug", "ur": "، "
        default: ", "
        }
    }

    /// A caption as it is compared for equality: small letters, single spaces.
    static func comparisonForm(of text: String) -> String {
        text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
