import ConcordCore
import ConcordData
import ConcordModels
import ConcordTensor

/// Retrieval between images, texts and sounds: each direction, by split and by the condition of the sounds.
///
/// Images are searched among all images, texts among all texts, each of which is there once, and sounds among those of one
/// condition, one of each item. A sound without an image, as a recorded word, is searched among the texts of its like.
/// What scores as high as the best match counts as before it.
public struct ModalityEvaluation {
    /// Retrieval in one direction, for one split and one condition.
    public struct Row: Sendable {
        public let query, gallery: Modality
        public let split: String
        /// Nil where no sounds are compared.
        public let condition: String?
        public let metrics: RetrievalMetrics
        /// Shares of queries that chance finds among the first 1, 5 and 10.
        public let chance: [Double]
        public let queryCount, galleryCount: Int

        /// The direction, as tables show it.
        var direction: String { "\(query) → \(gallery)" }
    }

    public let rows: [Row]
    /// Images and sounds that could not be read.
    public let skipped: [SkippedInput]

    /// The conditions of the tables of the emoji data set, in their order; others follow in that of the alphabet.
    private static let knownConditions = ["trained", "accent", "engine", "human"]

    /// Embeds what is compared, and measures.
    ///
    /// - Parameters:
    ///   - modalities: two at least, of image, text and audio.
    ///   - language: only texts and sounds of this language; nil takes all.
    ///   - kind: only texts of this kind, where an item has kinds; nil takes `name` where the data set has names, else all.
    ///   - progress: makes a display for a part of the work.
    /// - Throws: `.invalidArgument` for modalities that cannot be compared, `.invalidDataset` where none of them are there,
    ///   and what the model throws.
    public init(
        model: EmbeddingModel, dataset: CaptionDataset, modalities: [Modality], language: String? = nil,
        kind: String? = nil, maximumSkippedFraction: Double = 0.1,
        progress: (String) -> ProgressDisplay? = { _ in nil }
    ) throws {
        let known: [Modality] = [.image, .text, .audio]
        guard modalities.count >= 2, Set(modalities).count == modalities.count,
            Set(modalities).isSubset(of: known)
        else {
            throw ConcordError(
                .invalidArgument,
                "the modalities are \(modalities.map(\.name).joined(separator: ",")); give two or three of image, text and "
                    + "audio, each once")
        }
        let items = dataset.items
        var sides: [Modality: Side] = [:]
        var skipped: [SkippedInput] = []
        if modalities.contains(.text) {
            sides[.text] = try Self.texts(of: items, model: model, language: language, kind: kind)
        }
        if modalities.contains(.image) {
            let places = items.indices.filter { items[$0].image != nil }
            if !places.isEmpty {
                let gallery = try ImageGallery(
                    model: model, dataset: dataset.withImages, maximumSkippedFraction: maximumSkippedFraction,
                    progress: progress("images"))
                let lost = Set(gallery.skipped.map(\.index))
                let kept = places.indices.filter { !lost.contains($0) }.map { places[$0] }
                skipped += gallery.skipped
                sides[.image] = Side(
                    vectors: gallery.vectors, entries: kept.map { Entry(items: [$0], condition: nil) })
            }
        }
        if modalities.contains(.audio) {
            let chosen = Self.sounds(of: items, language: language)
            let gallery = try SoundGallery(
                model: model, paths: chosen.map { dataset.path(of: $0.sound) },
                maximumSkippedFraction: maximumSkippedFraction, progress: progress("sounds"))
            skipped += gallery.skipped
            sides[.audio] = Side(
                vectors: gallery.vectors,
                entries: gallery.kept.map {
                    Entry(items: [chosen[$0].item], condition: chosen[$0].sound.condition ?? "")
                })
        }
        var rows: [Row] = []
        for query in modalities {
            for gallery in modalities where gallery != query {
                guard let one = sides[query], let other = sides[gallery] else { continue }
                rows += Self.rows(from: query, one, to: gallery, other, items)
            }
        }
        guard !rows.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "\(dataset.captionFile) has no items with two of \(modalities.map(\.name).joined(separator: ", "))"
                    + (language.map { " in language \($0)" } ?? ""))
        }
        self.rows = rows
        self.skipped = skipped
    }

    // MARK: What is compared

    /// A vector: which items it belongs to, and under which condition.
    private struct Entry {
        let items: [Int]
        let condition: String?
    }

    /// The vectors of a modality.
    private struct Side {
        let vectors: Tensor
        let entries: [Entry]

        func selecting(_ places: [Int]) -> Tensor {
            vectors.indexSelected(axis: 0, Tensor(places, shape: [places.count]))
        }
    }

    /// The texts, each once.
    private static func texts(
        of items: [CaptionItem], model: EmbeddingModel, language: String?, kind: String?
    ) throws(ConcordError) -> Side? {
        let hasNames = items.contains { $0.captions.contains { $0.kind == "name" } }
        let kind = kind ?? (hasNames ? "name" : nil)
        var places: [String: Int] = [:], texts: [String] = [], owners: [[Int]] = []
        for (index, item) in items.enumerated() {
            let hasKinds = item.captions.contains { $0.kind != nil }
            for caption in item.captions
            where (language == nil || caption.language == language)
                && (kind == nil || !hasKinds || caption.kind == kind)
            {
                let place = places[caption.text] ?? texts.count
                if place == texts.count {
                    places[caption.text] = place
                    texts.append(caption.text)
                    owners.append([])
                }
                if owners[place].last != index { owners[place].append(index) }
            }
        }
        guard !texts.isEmpty else { return nil }
        return Side(
            vectors: try model.embed(texts: texts).vectors, entries: owners.map { Entry(items: $0, condition: nil) })
    }

    /// A sound of each item and condition: one of several voices, another for each item.
    private static func sounds(of items: [CaptionItem], language: String?) -> [(item: Int, sound: Sound)] {
        items.enumerated().flatMap { index, item in
            let spoken = item.sounds.filter { language == nil || $0.language == language }
            let conditions = Dictionary(grouping: spoken) { $0.condition ?? "" }
            return conditions.sorted { $0.key < $1.key }.map { condition, sounds in
                var random = RandomSource(seed: 0x736F_756E, stream: UInt64(index))
                return (index, sounds[random.index(below: sounds.count)])
            }
        }
    }

    // MARK: Measuring

    private static func rows(
        from query: Modality, _ queries: Side, to gallery: Modality, _ answers: Side, _ items: [CaptionItem]
    ) -> [Row] {
        let heard = query == .audio ? queries : gallery == .audio ? answers : nil
        let conditions = heard.map { Set($0.entries.compactMap(\.condition)).sorted(by: precedes) }
        return (conditions?.map { $0 } ?? [nil] as [String?]).flatMap { condition -> [Row] in
            // Words without pictures are searched among their like, and pictures among all pictures.
            let own = heard.map { side in Set(side.entries.filter { $0.condition == condition }.flatMap(\.items)) }
            let isPictured = own.map { $0.contains { items[$0].image != nil } } ?? true
            func compared(_ entry: Entry) -> [Int] {
                if let own = entry.condition { return own == condition ? entry.items : [] }
                return entry.items.filter { isPictured ? items[$0].image != nil : own?.contains($0) ?? false }
            }
            let found = answers.entries.indices.filter { !compared(answers.entries[$0]).isEmpty }
            var placesOfItem: [Int: [Int]] = [:]
            for (place, entry) in found.enumerated() {
                for item in compared(answers.entries[entry]) { placesOfItem[item, default: []].append(place) }
            }
            let asked = queries.entries.indices.map { (index: $0, items: compared(queries.entries[$0])) }
            func split(of item: Int) -> String { items[item].split ?? "all" }
            let splits = Set(asked.flatMap { $0.items.map(split) }).sorted(by: >)
            return splits.compactMap { name -> Row? in
                var chosen: [Int] = [], positives: [[Int]] = []
                for query in asked where query.items.contains(where: { split(of: $0) == name }) {
                    let right = Set(query.items.flatMap { placesOfItem[$0] ?? [] }).sorted()
                    guard !right.isEmpty else { continue }
                    chosen.append(query.index)
                    positives.append(right)
                }
                guard !chosen.isEmpty else { return nil }
                let ranks = RetrievalRanks.compute(
                    queries: queries.selecting(chosen), gallery: answers.selecting(found), positives: positives)
                return Row(
                    query: query, gallery: gallery, split: name, condition: condition,
                    metrics: RetrievalMetrics(ranks: ranks),
                    chance: [1, 5, 10].map { chance(of: positives.map(\.count), among: found.count, first: $0) },
                    queryCount: chosen.count, galleryCount: found.count)
            }
        }
    }

    private static func precedes(_ one: String, _ other: String) -> Bool {
        func place(_ name: String) -> Int { knownConditions.firstIndex(of: name) ?? knownConditions.count }
        return (place(one), one) < (place(other), other)
    }

    /// The mean probability that a random order has one of a query's positives among the first.
    static func chance(of positives: [Int], among count: Int, first: Int) -> Double {
        let found = positives.map { own -> Double in
            var missed = 1.0
            for place in 0..<min(first, count) {
                missed *= Double(max(0, count - own - place)) / Double(count - place)
            }
            return 1 - missed
        }
        return found.reduce(0, +) / Double(max(1, found.count))
    }
}

// MARK: - Reports

extension ModalityEvaluation {
    /// The form that `concord evaluate --modalities` prints.
    public var table: String {
        func line(_ cells: [String]) -> String {
            let widths = [16, 10, 18, 8, 8, 8, 8, 8, 9, 10, 10, 11]
            return zip(cells, widths).enumerated().map { index, cell in
                let padding = String(repeating: " ", count: max(1, cell.1 - cell.0.count))
                return index < 3 ? cell.0 + padding : padding + cell.0
            }.joined()
        }
        func percent(_ share: Double) -> String { NumberText.fixed(100 * share, decimals: 1) }
        let head = line([
            "", "split", "sounds", "queries", "gallery", "R@1 %", "R@5 %", "R@10 %", "median", "chance@1", "chance@5",
            "chance@10",
        ])
        return
            ([head]
            + rows.map { row in
                line(
                    [
                        row.direction, row.split, row.condition.map { $0.isEmpty ? "all" : $0 } ?? "–",
                        "\(row.queryCount)", "\(row.galleryCount)",
                    ] + row.metrics.cells + row.chance.map(percent))
            }).joined(separator: "\n")
    }

    /// The form that `concord evaluate --modalities --json` prints.
    public var json: JSONValue {
        .array(
            rows.map { row in
                let condition = row.condition.map { [JSONValue.Member("condition", .string($0))] } ?? []
                return .object(
                    [
                        .init("query", .string(row.query.name)), .init("gallery", .string(row.gallery.name)),
                        .init("split", .string(row.split)),
                    ] + condition + (row.metrics.json.members ?? []) + [
                        .init("queries", .integer(row.queryCount)), .init("gallery_size", .integer(row.galleryCount)),
                        .init("chance@1", .number(row.chance[0])), .init("chance@5", .number(row.chance[1])),
                        .init("chance@10", .number(row.chance[2])),
                    ])
            })
    }
}
