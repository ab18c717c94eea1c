/// One step that changes the characters of a text before it is split, as `normalizer` of `tokenizer.json` lists them.
enum TextNormalizer: Sendable {
    /// `BertNormalizer`, `accents` with its default put in.
    case bert(cleans: Bool, separatesIdeographs: Bool, stripsAccents: Bool, lowercases: Bool)
    case form(Normalization.Form)
    case lowercase
    case stripAccents
    case strip(left: Bool, right: Bool)
    case replace(TextPattern, [Unicode.Scalar])
    case prepend([Unicode.Scalar])
    case nmt
    case precompiled(PrecompiledMap)

    func apply(to text: inout NormalizedText) {
        switch self {
        case .bert(let cleans, let separatesIdeographs, let stripsAccents, let lowercases):
            Self.bert(&text, cleans, separatesIdeographs, stripsAccents, lowercases)
        case .form(let form): text.transform { Normalization.normalized($0, form) }
        case .lowercase: text.expand(Normalization.appendLowercase)
        case .stripAccents: text.remove(where: BertCharacters.isMark)
        case .strip(let left, let right): text.strip(left: left, right: right)
        case .replace(let pattern, let content): text.replace(pattern, with: content)
        case .prepend(let content): text.prepend(content)
        case .nmt: Self.nmt(&text)
        case .precompiled(let map): map.apply(to: &text)
        }
    }

    private static func bert(
        _ text: inout NormalizedText, _ cleans: Bool, _ separatesIdeographs: Bool, _ stripsAccents: Bool,
        _ lowercases: Bool
    ) {
        if text.scalars.allSatisfy({ (" "..."~").contains($0) }) {
            if lowercases { text.expand(Normalization.appendLowercase) }
            return
        }
        if cleans {
            text.remove(where: BertCharacters.isDropped)
            for (index, scalar) in text.scalars.enumerated() where scalar != " " && CharacterClass(scalar) == .space {
                text.scalars[index] = " "
            }
        }
        if separatesIdeographs, text.scalars.contains(where: BertCharacters.isIdeograph) {
            text.expand { scalar, output in
                if BertCharacters.isIdeograph(scalar) {
                    output += [" ", scalar, " "]
                } else {
                    output.append(scalar)
                }
            }
        }
        if stripsAccents {
            text.transform { Normalization.normalized($0, .d) }
            text.remove(where: BertCharacters.isNonspacingMark)
        }
        if lowercases { text.expand(Normalization.appendLowercase) }
    }

    private static func nmt(_ text: inout NormalizedText) {
        text.remove { scalar in
            switch scalar.value {
            case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: true
            default: false
            }
        }
        for (index, scalar) in text.scalars.enumerated() {
            switch scalar.value {
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
                text.scalars[index] = " "
            default: break
            }
        }
    }
}
