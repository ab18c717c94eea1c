import ArgumentParser
import Concord

struct SimilarityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "similarity", abstract: "Show how well pictures match texts.",
        discussion: """
            Cosines lie in -1…1. Logits are cosines times the model's scale, with its bias where it has one.
            Probabilities come from the logits: by softmax over the texts of a picture, or, for a model with a bias
            such as SigLIP, by sigmoid of each text alone.

            With --json one picture gives
              {"cosine": […], "logits": […], "probabilities": […], "probability": "softmax"}
            in the order of the texts, and several give
              {"results": [{"image": …, "cosine": […], "logits": […], "probabilities": […]}, …], "probability": …}
            A picture that cannot be read is left out, and the exit status is 1: it has an "error" in place of its
            numbers, and "skipped" lists it as {"index": …, "path": …, "reason": …}.

            Examples:
              concord similarity --model M --image cat.jpg --text "a cute cat" --text "a dog"
              concord similarity --model openai/clip-vit-base-patch32 --image cat.jpg --text "a cat" "a dog" --json
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures.")
    var images: [String]

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts.")
    var texts: [String]

    @OptionGroup var faults: PictureFaultOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try faults.check()
        let model = try model.load()
        // Before the pictures are embedded, which may take long.
        _ = try model.imageTextEncoder()
        Message.warn(ofSpecialTokensIn: texts, try model.textSide().tokenizer)
        let pictures = try model.embed(
            images.map(EmbeddingInput.image), isStrict: faults.strict,
            progress: Message.progress("pictures", count: images.count))
        let (vectors, truncated) = try model.embed(texts: texts)
        Message.warn(ofTruncated: truncated, of: texts.count)
        let similarity = try Similarity(model: model, images: pictures.vectors, texts: vectors)
        let rows = similarity.pictures(images, leftOut: pictures.skipped)
        if json {
            let kind = JSONValue.Member("probability", .string(similarity.probability.rawValue))
            if rows.count == 1, let row = rows[0].row {
                print(JSONValue.object(row.members + [kind]).text())
            } else {
                let results = JSONValue.array(rows.map { $0.json(\.members) })
                print(JSONValue.object([.init("results", results), kind] + pictures.skippedMembers).text())
            }
        } else {
            for row in rows {
                guard let found = row.row else { continue }
                print(images.count > 1 ? "\(row.path)\n\(found.table(texts))" : found.table(texts))
            }
        }
        try faults.finish(pictures.skipped, of: images.count)
    }
}

/// A picture that was asked about: what it is like, or why that is not known.
struct ComparedPicture {
    let path: String
    let row: Similarity.Row?
    let problem: String?

    /// The picture with the members that `report` makes of what it is like, or with an `error`.
    func json(_ report: (Similarity.Row) -> [JSONValue.Member]) -> JSONValue {
        let members = row.map(report) ?? [.init("error", problem.map(JSONValue.string) ?? .null)]
        return .object([.init("image", .string(path))] + members)
    }
}

extension Similarity {
    /// The rows with their pictures, and the pictures that were left out.
    func pictures(_ paths: [String], leftOut: [SkippedInput]) -> [ComparedPicture] {
        let problems = Dictionary(leftOut.map { ($0.index, $0.reason) }) { first, _ in first }
        return paths.indices.map { index in
            let problem = problems[index]
            return ComparedPicture(path: paths[index], row: problem == nil ? rows[index] : nil, problem: problem)
        }
    }
}

extension EmbeddedInputs {
    /// The list of what was left out as a member of a JSON object, where anything was.
    var skippedMembers: [JSONValue.Member] {
        skipped.isEmpty ? [] : [.init("skipped", .array(skipped.map(\.json)))]
    }
}
