/// An emoji as a sequence of code points, without variation selectors (U+FE0F), the way CLDR writes it.
public struct EmojiSequence: Sendable, Hashable {
    public let scalars: [Unicode.Scalar]

    /// The sequence of `text`, variation selectors left out.
    public init(_ text: String) {
        scalars = text.unicodeScalars.filter { $0 != Self.emojiPresentation }
    }

    private static let emojiPresentation: Unicode.Scalar = "\u{FE0F}"
    private static let skinTones: ClosedRange<Unicode.Scalar> = "\u{1F3FB}"..."\u{1F3FF}"

    /// The code points in hexadecimal, joined by hyphens: `1f469-1f3fd-200d-1f692`.
    public var codePoints: String { scalars.map { String($0.value, radix: 16) }.joined(separator: "-") }

    /// The sequence as it is typed: fully qualified, that is, with U+FE0F wherever the emoji form is not the default
    /// (UTS #51, ED-18).
    public var text: String {
        var view = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            view.append(scalar)
            let isFollowedByTone = index + 1 < scalars.count && Self.skinTones.contains(scalars[index + 1])
            if scalar.properties.isEmoji && !scalar.properties.isEmojiPresentation && !isFollowedByTone {
                view.append(Self.emojiPresentation)
            }
        }
        return String(view)
    }

    /// Whether it is an emoji: not a plain character that an emoji font happens to hold, such as `#` or `*`.
    public var isEmoji: Bool {
        guard let first = scalars.first else { return false }
        return first.properties.isEmoji && !(scalars.count == 1 && first.isASCII)
    }

    /// Whether a base emoji is combined with at least one skin tone. A tone on its own is no combination.
    public var isSkinToneCombination: Bool { scalars.count > 1 && scalars.contains(where: Self.skinTones.contains) }

    /// The split it belongs to: a fifth of the skin-tone combinations is held out, all else trained on.
    public var split: String { isSkinToneCombination && hash % 5 == 0 ? Self.heldOut : Self.train }

    public static let heldOut = "held-out"
    public static let train = "train"

    /// FNV-1a, 64 bits, over the code points as 32-bit little-endian numbers, then SplitMix64's finalizer (without it
    /// the remainders by 5 are uneven). Part of the dataset's definition: it never changes, so the split is the same
    /// on every machine.
    public var hash: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for scalar in scalars {
            for shift in stride(from: 0, to: 32, by: 8) {
                hash ^= UInt64(scalar.value >> UInt32(shift) & 0xFF)
                hash = hash &* 0x0000_0100_0000_01B3
            }
        }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
