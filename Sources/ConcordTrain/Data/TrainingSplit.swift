import ConcordCore
import ConcordData

/// The images that a run trains on, and the splits that it is evaluated on at the end.
struct TrainingSplit {
    static let train = "train"
    static let heldOut = "held-out"
    private static let trainNames: Set<String> = [train, "training"]
    private static let testNames: Set<String> = [
        heldOut, "heldout", "held_out", "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation",
    ]
    /// Figures of fewer images say little.
    private static let tellingCount = 10

    /// All images, in the splits as the run sees them.
    let dataset: CaptionDataset
    let examples: CaptionDataset
    let evaluated: [String]
    /// The images that the run itself holds out; empty where the data say what is held out, or nothing is.
    let heldOut: [String]
    /// Notes for the user.
    let notes: [String]

    /// - Parameter known: what a run that goes on holds out already.
    /// - Throws: `.invalidDataset` for a split without images, naming those that there are.
    init(_ dataset: CaptionDataset, _ recipe: Recipe, known: [String]? = nil) throws(ConcordError) {
        let names = Set(dataset.items.compactMap(\.split)).sorted(), given = recipe.data.split
        let isTrained = Self.trainedSplits(given, among: names)
        let pool = dataset.items.filter { isTrained($0.split) }
        if pool.isEmpty, let given { _ = try dataset.images(ofSplit: given) }
        let others = names.filter { !isTrained($0) }
        let isUpToTheData = given == nil && others.isEmpty
        let count =
            recipe.data.heldOutFraction.map { $0 > 0 ? max(1, Int((Double(pool.count) * $0).rounded())) : 0 }
            ?? (isUpToTheData ? HeldOutImages.usualCount(of: pool.count) : 0)
        let chosen = known == nil ? HeldOutImages(count, of: pool, in: dataset) : nil
        heldOut = known ?? chosen.map { $0.indices.map { pool[$0].name } } ?? []
        let held = Set(heldOut)
        self.dataset =
            held.isEmpty && (given != nil || others.isEmpty)
            ? dataset
            : dataset.assigning { item in
                guard isTrained(item.split) else { return item.split }
                return held.contains(item.name) ? Self.heldOut : held.isEmpty ? item.split ?? Self.train : Self.train
            }
        examples = CaptionDataset(
            folder: dataset.folder,
            items: self.dataset.items.filter { item in
                held.isEmpty ? isTrained(item.split) : item.split == Self.train
            }, captionFile: dataset.captionFile)
        if !recipe.evaluate.splits.isEmpty {
            evaluated = recipe.evaluate.splits
        } else if !held.isEmpty {
            evaluated = [Self.heldOut, Self.train]
        } else if given == nil, !others.isEmpty {
            evaluated = others + Set(examples.items.compactMap(\.split)).sorted()
        } else {
            evaluated = ["all"]
        }

        var notes = [String]()
        if given == nil, !others.isEmpty {
            notes.append(
                "training leaves out the \(Self.list(others)), as data.split names none; data.split all takes every row"
            )
        }
        if let chosen, !held.isEmpty {
            notes += Self.describe(chosen, of: pool.count, isUnasked: recipe.data.heldOutFraction == nil)
        } else if !held.isEmpty {
            notes.append("\(held.count) of \(pool.count) images are held out, as before")
        } else if count > 0 {
            notes.append(
                "warning: nothing is held out, because the images are copies of each other, or too few; the report "
                    + "evaluates on the training data")
        } else if isUpToTheData {
            notes.append("nothing is held out, so the report evaluates on the training data")
        }
        self.notes = notes
    }

    /// Whether any of the images of a split that is measured are trained on.
    func isTrained(_ split: String) -> Bool { split == "all" || examples.items.contains { $0.split == split } }

    /// Whether rows of a split are trained on, where the recipe names the split `given`.
    private static func trainedSplits(_ given: String?, among names: [String]) -> (String?) -> Bool {
        if let given { return { given == "all" || $0 == given } }
        let own = names.filter { trainNames.contains($0.lowercased()) }
        if !own.isEmpty { return { $0.map(own.contains) ?? false } }
        return { !($0.map { testNames.contains($0.lowercased()) } ?? false) }
    }

    private static func list(_ splits: [String]) -> String {
        (splits.count > 1 ? "splits " : "split ") + splits.joined(separator: ", ")
    }

    private static func describe(_ chosen: HeldOutImages, of count: Int, isUnasked: Bool) -> [String] {
        let together =
            switch chosen.binding {
            case .anyCaption: "images that share their file or a caption stay together"
            case .allCaptions: "copies of an image stay together; captions are shared too widely for that"
            case .nothing: "copies of an image stay together; captions are shared like labels"
            }
        var notes = [
            "\(chosen.indices.count) of \(count) images are held out and measured at the end, chosen by their names; "
                + together + (isUnasked ? " (data.held_out_fraction 0 trains on all)" : "")
        ]
        if chosen.indices.count < tellingCount {
            notes.append(
                "figures on so few held-out images are unreliable; use more data or a larger data.held_out_fraction")
        }
        return notes
    }
}

extension RunFolder {
    /// The images that the run held out by itself, as JSON: `{"held_out": ["a.png", …]}`.
    var heldOut: String { path + "/held-out.json" }

    /// Reads ``heldOut``; nil where there is none. Throws `.fileSystem` or `.malformedText`.
    func readHeldOut() throws(ConcordError) -> [String]? {
        guard Files.exists(heldOut) else { return nil }
        let list = try JSONValue(contentsOf: heldOut)
        return (list["held_out"]?.elements ?? []).compactMap(\.string)
    }

    /// Writes which images the run holds out, as far as any are. Throws `.fileSystem`.
    func write(heldOut images: [String]) throws {
        guard !images.isEmpty || Files.exists(heldOut) else { return }
        let list = JSONValue.object([.init("held_out", .array(images.map { .string($0) }))])
        try Files.replace(heldOut, with: list.text(pretty: true) + "\n")
    }

    /// The data set with the images that this run held out in the split `held-out`, and the others in `train`, where
    /// the data set itself names no splits; otherwise as it is.
    ///
    /// - Throws: `.fileSystem` or `.malformedText` for a list that cannot be read.
    package func withHeldOut(_ dataset: CaptionDataset) throws(ConcordError) -> CaptionDataset {
        guard !dataset.items.contains(where: { $0.split == TrainingSplit.heldOut }), let list = try readHeldOut() else {
            return dataset
        }
        let held = Set(list)
        return dataset.assigning { item in
            held.contains(item.name) ? TrainingSplit.heldOut : item.split ?? TrainingSplit.train
        }
    }
}
