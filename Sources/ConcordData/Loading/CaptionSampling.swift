import ConcordCore

/// The sampling of captions, and of sounds, for an image that has several.
public struct CaptionSampling: Sendable, Hashable {
    /// Captions drawn for each image of a batch: the number of slots.
    package var captionsPerImage: Int
    /// Sounds drawn for each image that has some: one, which is compared with all captions, or one for each slot.
    package var soundsPerImage = 1
    /// The relative sampling weight of each kind; within a kind all captions are alike.
    ///
    /// Empty: all kinds alike. Otherwise kinds that are not named are not drawn; captions without a kind weigh 1.
    public var weights: [String: Double]
    /// The language of each slot; nil, or no element, takes any. Images without captions in the slot's language
    /// take any language.
    public var languages: [String?]
    /// Whether a slot draws again (up to 8 times) when another image of the batch has the same text there. Equal
    /// texts are false negatives in a contrastive loss.
    package var avoidsDuplicateCaptions: Bool

    public init(
        captionsPerImage: Int = 1, weights: [String: Double] = [:], languages: [String?] = [],
        avoidsDuplicateCaptions: Bool = true
    ) {
        self.captionsPerImage = captionsPerImage
        self.weights = weights
        self.languages = languages
        self.avoidsDuplicateCaptions = avoidsDuplicateCaptions
    }

    private static let attempts = 8

    /// Throws `.invalidConfiguration` for impossible values, and for items without any caption that may be drawn.
    package func validate(for dataset: CaptionDataset) throws(ConcordError) {
        guard captionsPerImage > 0, languages.count <= captionsPerImage,
            weights.values.allSatisfy({ $0 >= 0 && $0.isFinite })
        else {
            throw ConcordError(
                .invalidConfiguration,
                "caption sampling needs at least one caption per image, no more languages than captions, and weights "
                    + "of 0 or more; got \(captionsPerImage) captions, \(languages.count) languages, weights \(weights)"
            )
        }
        guard soundsPerImage == 1 || soundsPerImage == captionsPerImage else {
            throw ConcordError(
                .invalidConfiguration,
                "\(soundsPerImage) sounds per image cannot be paired with \(captionsPerImage) captions; draw one, or as many"
            )
        }
        let captions = dataset.items.lazy.flatMap(\.captions)
        try Self.require(languages.compactMap(\.self), "language", among: Set(captions.compactMap(\.language)))
        try Self.require(weights.keys.sorted(), "kind", among: Set(captions.compactMap(\.kind)))
        for item in dataset.items where !item.captions.contains(where: mayDraw) {
            // Sounds may be without words.
            if item.captions.isEmpty, !item.sounds.isEmpty { continue }
            let kinds = Set(item.captions.compactMap(\.kind)).sorted().joined(separator: ", ")
            throw ConcordError(
                .invalidConfiguration,
                "no caption of \(item.name) can be sampled: its kinds (\(kinds)) have no weight; give one of them a "
                    + "weight, or filter the dataset")
        }
    }

    /// Throws for a name that no caption has: it would change what is drawn without a word.
    private static func require(
        _ names: [String], _ noun: String, among known: Set<String>
    ) throws(ConcordError) {
        for name in names where !known.contains(name) {
            let nearest = NearestName.suggestion(for: name, among: known)
            throw ConcordError(
                .invalidConfiguration,
                "no caption has the \(noun) `\(name)`" + (nearest.map { "; did you mean `\($0)`?" } ?? ";")
                    + (known.isEmpty
                        ? " the data set has no \(noun)s, so omit it"
                        : " the data set has " + known.sorted().joined(separator: ", ")))
        }
    }

    /// Draws the texts of one slot, one for each item.
    ///
    /// - Parameter random: a source for each item, so that a draw depends on nothing but its own item, and on the
    ///   items before it when duplicates are avoided.
    func texts(slot: Int, items: [CaptionItem], random: inout [RandomSource]) -> [String] {
        var used: Set<UTF8Key> = []
        return items.indices.map { index in
            let candidates = candidates(in: items[index], slot: slot)
            var text = draw(from: candidates, &random[index])
            if avoidsDuplicateCaptions {
                for _ in 0..<Self.attempts where used.contains(UTF8Key(text)) {
                    text = draw(from: candidates, &random[index])
                }
                used.insert(UTF8Key(text))
            }
            return text
        }
    }

    /// Draws the sounds of an item, one for each slot: in the slot's language where there are such, else in any.
    func sounds(of item: CaptionItem, random: inout RandomSource) -> [Sound] {
        let sounds = item.trainedSounds
        guard !sounds.isEmpty else { return [] }
        return (0..<soundsPerImage).map { slot in
            // A sound for all slots is of any language.
            let language = soundsPerImage > 1 && slot < languages.count ? languages[slot] : nil
            let matching = language == nil ? sounds : sounds.filter { $0.language == language }
            let candidates = matching.isEmpty ? sounds : matching
            return candidates[random.index(below: candidates.count)]
        }
    }

    /// Whether a caption is ever drawn.
    package func mayDraw(_ caption: Caption) -> Bool { weight(of: caption.kind) > 0 }

    private func weight(of kind: String?) -> Double {
        guard let kind, !weights.isEmpty else { return 1 }
        return weights[kind] ?? 0
    }

    private func candidates(in item: CaptionItem, slot: Int) -> [Caption] {
        let drawable = item.captions.filter(mayDraw)
        guard slot < languages.count, let language = languages[slot] else { return drawable }
        let matching = drawable.filter { $0.language == language }
        return matching.isEmpty ? drawable : matching
    }

    /// Draws a kind by its weight, then one of its captions.
    private func draw(from candidates: [Caption], _ random: inout RandomSource) -> String {
        var kinds: [String?] = []
        for caption in candidates where !kinds.contains(caption.kind) { kinds.append(caption.kind) }
        var remaining = random.uniform() * kinds.reduce(0) { $0 + weight(of: $1) }
        var chosen = kinds[kinds.count - 1]
        for kind in kinds {
            remaining -= weight(of: kind)
            if remaining < 0 {
                chosen = kind
                break
            }
        }
        let captions = candidates.filter { $0.kind == chosen }
        return captions[random.index(below: captions.count)].text
    }
}
