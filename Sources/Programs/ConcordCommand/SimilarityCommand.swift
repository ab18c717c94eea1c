import ArgumentParser
import Concord

struct SimilarityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "similarity", abstract: "Score how well images match texts.",
        discussion: """
            Prints the cosine similarity of each image and text (-1…1), the logit (the cosine times the model's logit
            scale, plus its logit bias if it has one) and a probability: a softmax over the texts of an image or, for a
            model with a logit bias such as SigLIP, a sigmoid of each logit.

            --json prints, for one image, in the order of the texts:
              {"cosine": […], "logits": […], "probabilities": […], "probability": "softmax"}
            and for several images:
              {"results": [{"image": …, "cosine": […], "logits": […], "probabilities": […]}, …], "probability": …}
            An image that cannot be read is skipped: its result has an "error" instead of numbers, "skipped" lists it as
            {"index": …, "path": …, "reason": …}, and the exit status is 1.

            Examples:
              concord similarity --model M --image cat.jpg --text "a cute cat" --text "a dog"
              concord similarity --model openai/clip-vit-base-patch32 --image cat.jpg --text "a cat" "a dog" --json
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Image files.")
    var images: [String]

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts to compare the images with.")
    var texts: [String]

    @OptionGroup var unreadable: UnreadableImageOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try unreadable.check()
        let model = try model.load()
        // Fails before the images are embedded, which may be slow.
        _ = try model.imageTextEncoder()
        Message.warn(ofSpecialTokensIn: texts, try model.textSide().tokenizer)
        let embedded = try model.embed(
            images.map(EmbeddingInput.image), isStrict: unreadable.strict,
            progress: Message.progress("images", count: images.count))
        let (vectors, truncated) = try model.embed(texts: texts)
        Message.warn(ofTruncated: truncated, of: texts.count)
        let similarity = try Similarity(model: model, images: embedded.vectors, texts: vectors)
        let rows = similarity.scored(images, skipped: embedded.skipped)
        if json {
            let kind = JSONValue.Member("probability", .string(similarity.probability.rawValue))
            if rows.count == 1, let row = rows[0].row {
                print(JSONValue.object(row.members + [kind]).text())
            } else {
                let results = JSONValue.array(rows.map { $0.json(\.members) })
                print(JSONValue.object([.init("results", results), kind] + embedded.skippedMembers).text())
            }
        } else {
            for row in rows {
                guard let found = row.row else { continue }
                print(images.count > 1 ? "\(row.path)\n\(found.table(texts))" : found.table(texts))
            }
        }
        try unreadable.finish(embedded.skipped, of: images.count)
    }
}

/// An image with its scores, or the reason why it has none.
struct ScoredImage {
    let path: String
    let row: Similarity.Row?
    let problem: String?

    /// A JSON object of the image with the members that `report` makes of its scores, or with an `error`.
    func json(_ report: (Similarity.Row) -> [JSONValue.Member]) -> JSONValue {
        let members = row.map(report) ?? [.init("error", problem.map(JSONValue.string) ?? .null)]
        return .object([.init("image", .string(path))] + members)
    }
}

extension Similarity {
    /// The rows with the paths of their images, those of skipped images without scores.
    func scored(_ paths: [String], skipped: [SkippedInput]) -> [ScoredImage] {
        let problems = Dictionary(skipped.map { ($0.index, $0.reason) }) { first, _ in first }
        return paths.indices.map { index in
            let problem = problems[index]
            return ScoredImage(path: paths[index], row: problem == nil ? rows[index] : nil, problem: problem)
        }
    }
}

extension EmbeddedInputs {
    /// The JSON member `skipped`, if anything was.
    var skippedMembers: [JSONValue.Member] {
        skipped.isEmpty ? [] : [.init("skipped", .array(skipped.map(\.json)))]
    }
}
