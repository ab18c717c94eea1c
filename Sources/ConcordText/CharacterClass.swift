/// The kinds of characters that CLIP's split pattern tells apart: `\s`, `\p{L}`, `\p{N}`, and all others.
enum CharacterClass: UInt8 {
    case space, letter, number, other

    init(_ scalar: Unicode.Scalar) {
        let index = Int(scalar.value)
        self = index < Self.basicPlane.count ? Self.basicPlane[index] : Self.look(up: scalar)
    }

    // The standard library searches a range table for each question; most text asks about the first plane.
    private static let basicPlane: [CharacterClass] = (UInt32(0)..<0x10000).map { value in
        Unicode.Scalar(value).map(look(up:)) ?? .other
    }

    private static func look(up scalar: Unicode.Scalar) -> CharacterClass {
        // `\s` of both peers' engines is White_Space; U+001C to U+001F, which Python's `isspace` adds, are not in it.
        if scalar.properties.isWhitespace { return .space }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: .other
        }
    }
}
