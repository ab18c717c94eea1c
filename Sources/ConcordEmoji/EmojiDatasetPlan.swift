import ConcordCore
import ConcordData
import ConcordMedia

/// Which pictures an emoji dataset holds, with their captions: everything but the drawing.
public struct EmojiDatasetPlan: Sendable {
    /// One picture.
    public struct Entry: Sendable {
        public let sequence: EmojiSequence
        /// The glyph's index in the font.
        public let glyph: UInt32
        public let captions: [Caption]

        /// The picture's path in the dataset.
        public var image: String { "images/\(sequence.codePoints).png" }
    }

    /// A sequence that CLDR annotates and the dataset does not draw, with the reason.
    public struct Skipped: Sendable, Hashable {
        public let sequence: EmojiSequence
        /// `notEmoji`, `missingInFont`, `severalGlyphs`, `samePicture` or `noCaption`.
        public let reason: String
        public let detail: String
    }

    /// In the order of the code points.
    public let entries: [Entry]
    public let skipped: [Skipped]
    /// Trained captions that were left out because a held-out picture has the same text.
    public let removedCaptions: Int

    /// Chooses the emoji that `renderer`'s font draws as one glyph, among all that `english` knows.
    ///
    /// Sequences that look the same to the last bit (the flags of Norway and Bouvet Island, the gloved snowboarder in
    /// all skin tones) become one picture with the captions of all, called after the one with the shortest English
    /// name: twins in a gallery would spoil every retrieval figure, and twins across splits would leak. Held-out pictures keep names and natural forms only: other tones share their
    /// keywords. No caption of a held-out picture is a caption of a trained one.
    ///
    /// - Parameter only: when given, just these sequences.
    package init(
        english: CLDRAnnotations, annotations: [CLDRAnnotations], renderer: GlyphRenderer,
        only: [EmojiSequence]? = nil
    ) {
        func nameLength(_ sequence: EmojiSequence) -> Int { english.entries[sequence]?.name.utf8.count ?? .max }
        var groups: [[UInt8]: (glyph: UInt32, sequences: [EmojiSequence])] = [:]
        var skipped: [Skipped] = []
        let allowed = only.map(Set.init)
        let ordered = english.entries.keys.filter { allowed?.contains($0) ?? true }
            .sorted { (nameLength($0), $0.codePoints) < (nameLength($1), $1.codePoints) }
        for sequence in ordered {
            guard sequence.isEmoji else {
                skipped.append(Skipped(sequence: sequence, reason: "notEmoji", detail: "a plain character"))
                continue
            }
            switch renderer.shape(sequence.text) {
            case .image(let glyph):
                let bitmap = renderer.bitmap(of: glyph)
                if let first = groups[bitmap]?.sequences.first {
                    skipped.append(Skipped(sequence: sequence, reason: "samePicture", detail: "as \(first.codePoints)"))
                }
                groups[bitmap, default: (glyph, [])].sequences.append(sequence)
            case .missing, .plainGlyph:
                skipped.append(Skipped(sequence: sequence, reason: "missingInFont", detail: "no color glyph"))
            case .severalGlyphs(let count):
                skipped.append(Skipped(sequence: sequence, reason: "severalGlyphs", detail: "\(count) glyphs"))
            }
        }

        let drawn = groups.values.map { glyph, sequences in
            Entry(
                sequence: sequences[0], glyph: glyph,
                captions: annotations.flatMap { Self.captions(of: sequences, in: $0) })
        }
        let (candidates, removed) = Self.withoutLeaks(drawn)
        for entry in candidates where entry.captions.isEmpty {
            skipped.append(
                Skipped(sequence: entry.sequence, reason: "noCaption", detail: "no usable caption"))
        }
        entries = candidates.filter { !$0.captions.isEmpty }.sorted { Self.precedes($0.sequence, $1.sequence) }
        removedCaptions = removed
        self.skipped = skipped.sorted { Self.precedes($0.sequence, $1.sequence) }
    }

    private static func precedes(_ a: EmojiSequence, _ b: EmojiSequence) -> Bool {
        a.scalars.lexicographicallyPrecedes(b.scalars)
    }

    private static func captions(of sequences: [EmojiSequence], in annotations: CLDRAnnotations) -> [Caption] {
        var seen = Set<String>()
        let isHeldOut = sequences[0].split == EmojiSequence.heldOut
        let all = sequences.compactMap { annotations.entries[$0] }.flatMap {
            EmojiCaptions.captions(for: $0, language: annotations.language)
        }
        // The name of one may be a keyword of its twin; names come first, so that the text stays a name.
        let (keywords, names) = (all.filter { $0.kind == "keyword" }, all.filter { $0.kind != "keyword" })
        return (names + (isHeldOut ? [] : keywords)).filter {
            seen.insert($0.text).inserted
        }
    }

    /// Takes every text of a held-out picture out of the trained ones, whatever its language and letter case.
    private static func withoutLeaks(_ entries: [Entry]) -> ([Entry], removed: Int) {
        let heldOut = Set(
            entries.filter { $0.sequence.split == EmojiSequence.heldOut }
                .flatMap { $0.captions.map { EmojiCaptions.comparisonForm(of: $0.text) } })
        var removed = 0
        let kept = entries.map { entry in
            guard entry.sequence.split == EmojiSequence.train else { return entry }
            let captions = entry.captions.filter { !heldOut.contains(EmojiCaptions.comparisonForm(of: $0.text)) }
            removed += entry.captions.count - captions.count
            return Entry(sequence: entry.sequence, glyph: entry.glyph, captions: captions)
        }
        return (kept, removed)
    }
}
