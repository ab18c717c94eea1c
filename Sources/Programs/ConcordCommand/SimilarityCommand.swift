import ArgumentParser
import Concord

struct SimilarityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "similarity", abstract: "Score how well images or sounds match texts.",
        discussion: """
            Prints the cosine similarity of each image or sound and text (-1…1), the logit (the cosine times the model's logit
            scale, plus its logit bias if it has one) and a probability: a softmax over the texts of an image or, for a
            model with a logit bias such as SigLIP, a sigmoid of each logit.

            --json prints, for one image, in the order of the texts:
              {"cosine": […], "logits": […], "probabilities": […], "probability": "softmax"}
            and for several images:
              {"results": [{"image": …, "cosine": […], "logits": […], "probabilities": […]}, …], "probability": …}
            With --audio "image" is "audio". A file that cannot be read is skipped: its result has an "error" instead of numbers, "skipped" lists it as
            {"index": …, "path": …, "reason": …}, and the exit status is 1.

            Examples:
              concord similarity --model M --image cat.jpg --text "a cute cat" --text "a dog"
              concord similarity --model openai/clip-vit-base-patch32 --image cat.jpg --text "a cat" "a dog" --json
              concord similarity --model laion/clap-htsat-unfused --audio dog.wav --text "a dog barks" "rain"
            """)

    @OptionGroup var model: ModelOptions

    @OptionGroup var media: MediaOptions

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts to compare the images or sounds with.")
    var texts: [String]

    @OptionGroup var unreadable: UnreadableMediaOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try unreadable.check()
        let model = try model.load()
        // Fails before the files are embedded, which may be slow.
        try model.checkComparison(of: media.modality)
        Message.warn(ofSpecialTokensIn: texts, try model.textSide().tokenizer)
        let embedded = try media.embed(model, isStrict: unreadable.strict)
        let (vectors, truncated) = try model.embed(texts: texts)
        Message.warn(ofTruncated: truncated, of: texts.count)
        let similarity = try media.similarity(model, embedded.vectors, texts: vectors)
        let rows = similarity.scored(media.paths, media.modality, skipped: embedded.skipped)
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
                print(rows.count > 1 ? "\(row.path)\n\(found.table(texts))" : found.table(texts))
            }
        }
        try unreadable.finish(embedded.skipped, of: rows.count, media.noun)
    }
}

/// An image or sound with its scores, or the reason why it has none.
struct ScoredFile {
    let path: String
    let modality: Modality
    let row: Similarity.Row?
    let problem: String?

    /// A JSON object of the file with the members that `report` makes of its scores, or with an `error`.
    func json(_ report: (Similarity.Row) -> [JSONValue.Member]) -> JSONValue {
        let members = row.map(report) ?? [.init("error", problem.map(JSONValue.string) ?? .null)]
        return .object([.init(modality.name, .string(path))] + members)
    }
}

extension Similarity {
    /// The rows with the paths of their files, those of skipped files without scores.
    func scored(_ paths: [String], _ modality: Modality, skipped: [SkippedInput]) -> [ScoredFile] {
        let problems = Dictionary(skipped.map { ($0.index, $0.reason) }) { first, _ in first }
        return paths.indices.map { index in
            let problem = problems[index]
            return ScoredFile(
                path: paths[index], modality: modality, row: problem == nil ? rows[index] : nil, problem: problem)
        }
    }
}

extension EmbeddedInputs {
    /// The JSON member `skipped`, if anything was.
    var skippedMembers: [JSONValue.Member] {
        skipped.isEmpty ? [] : [.init("skipped", .array(skipped.map(\.json)))]
    }
}
