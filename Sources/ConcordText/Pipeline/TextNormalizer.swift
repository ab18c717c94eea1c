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
    case precompiled(PrecompiledCharsmap)
    /// open_clip's cleaning before CLIP's own tokenizer: not a step of `tokenizer.json`.
    case openCLIP

    func apply(to text: inout NormalizedText) {
        switch self {
        case .bert(let cleans, let separatesIdeographs, let stripsAccents, let lowercases):
            Self.bert(&text, cleans, separatesIdeographs, stripsAccents, lowercases)
        case .form(let form):
            if !Normalization.isUnchanged(text.scalars, form) { text.transform { Normalization.normalized($0, form) } }
        case .lowercase: text.lowercase()
        case .stripAccents: text.remove(where: BertCharacters.isMark)
        case .strip(let left, let right): text.strip(left: left, right: right)
        case .replace(let pattern, let content): text.replace(pattern, with: content)
        case .prepend(let content): text.prepend(content)
        case .nmt: Self.nmt(&text)
        case .precompiled(let map): map.apply(to: &text)
        case .openCLIP:
            // Collapsing white space, the peer's next step, changes no piece: white space only separates.
            text.scalars = TextCleaning.repaired(text.scalars)
            if !Normalization.lowercaseASCII(&text.scalars) { text.scalars = Normalization.lowercased(text.scalars) }
            text.originCount = min(text.originCount, text.scalars.count)
        }
    }

    private static func bert(
        _ text: inout NormalizedText, _ cleans: Bool, _ separatesIdeographs: Bool, _ stripsAccents: Bool,
        _ lowercases: Bool
    ) {
        if text.scalars.allSatisfy({ (" "..."~").contains($0) }) {
            if lowercases { text.lowercase() }
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
        if lowercases { text.lowercase() }
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

/// A text on its way through the normalizers of a pipeline.
struct NormalizedText {
    var scalars: [Unicode.Scalar]
    /// The number of first scalars that stem from the first character of the whole text, which `Metaspace` asks for.
    var originCount: Int

    /// Drops what `isDropped` says.
    mutating func remove(where isDropped: (Unicode.Scalar) -> Bool) {
        guard let first = scalars.firstIndex(where: isDropped) else { return }
        if first < originCount { originCount -= scalars.prefix(originCount).count(where: isDropped) }
        scalars.removeAll(where: isDropped)
    }

    /// Replaces each scalar by some.
    mutating func expand(_ expansion: (Unicode.Scalar, inout [Unicode.Scalar]) -> Void) {
        var output = [Unicode.Scalar]()
        output.reserveCapacity(scalars.count)
        var newOriginCount = 0
        for (index, scalar) in scalars.enumerated() {
            expansion(scalar, &output)
            if index + 1 == originCount { newOriginCount = output.count }
        }
        originCount = newOriginCount
        scalars = output
    }

    /// Puts each scalar into lower case by itself.
    mutating func lowercase() {
        if !Normalization.lowercaseASCII(&scalars) { expand(Normalization.appendLowercase) }
    }

    /// Replaces all by what a function of the whole text gives.
    mutating func transform(_ function: ([Unicode.Scalar]) -> [Unicode.Scalar]) {
        let origin = function(Array(scalars.prefix(originCount))).count
        scalars = function(scalars)
        originCount = min(origin, scalars.count)
    }

    /// Replaces each match of a pattern by `content`.
    mutating func replace(_ pattern: TextPattern, with content: [Unicode.Scalar]) {
        var output = [Unicode.Scalar]()
        var copied = 0
        var newOriginCount = originCount
        pattern.forEachMatch(in: scalars[...]) { range in
            output += scalars[copied..<range.lowerBound]
            output += content
            copied = range.upperBound
            // The new characters stand for the last one that they replace.
            if range.upperBound <= originCount {
                newOriginCount += content.count - range.count
            } else if range.lowerBound < originCount {
                newOriginCount -= originCount - range.lowerBound
            }
        }
        guard copied > 0 else { return }
        output += scalars[copied...]
        scalars = output
        originCount = newOriginCount
    }

    mutating func prepend(_ content: [Unicode.Scalar]) {
        guard !scalars.isEmpty else { return }
        scalars.insert(contentsOf: content, at: 0)
        if originCount > 0 { originCount += content.count }
    }

    /// Drops white space at the ends.
    mutating func strip(left: Bool, right: Bool) {
        if right, let last = scalars.lastIndex(where: { CharacterClass($0) != .space }) {
            scalars.removeLast(scalars.count - 1 - last)
        } else if right {
            scalars = []
        }
        if left {
            let count = scalars.firstIndex { CharacterClass($0) != .space } ?? scalars.count
            scalars.removeFirst(count)
            originCount -= count
        }
        originCount = min(max(originCount, 0), scalars.count)
    }
}
