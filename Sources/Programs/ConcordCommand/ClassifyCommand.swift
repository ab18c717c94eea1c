import ArgumentParser
import Concord

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify", abstract: "Classify images by a list of labels, without training (zero-shot).",
        discussion: """
            Each label replaces {} in each template, and the embeddings of a label's templates are averaged; several
            templates make the result more robust. Probabilities are computed as in `concord similarity`.

            --json prints:
              {"results": [{"image": …, "labels": [{"label": …, "probability": …, "logit": …, "cosine": …}, …]}, …],
               "probability": "softmax"}
            An image that cannot be read is skipped: its result has an "error" instead of labels, "skipped" lists it as
            {"index": …, "path": …, "reason": …}, and the exit status is 1.

            Examples:
              concord classify --model M --image a.jpg b.jpg --labels labels.txt
              concord classify --model M --image a.jpg --labels labels.txt --template "a photo of a {}" \\
                --template "a drawing of a {}" --top 3 --json
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Image files to classify.")
    var images: [String]

    @Option(help: "A text file with one label per line.")
    var labels: String

    @Option(
        name: .customLong("template"), parsing: .upToNextOption,
        help: "A text with {} in place of the label; may be repeated (default: \"a photo of a {}\").")
    var templates: [String] = []

    @Option(help: "Number of labels to show for each image.")
    var top = 5

    @OptionGroup var unreadable: UnreadableImageOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard top > 0 else { throw ValidationError("--top is \(top); it must be at least 1.") }
        for template in templates {
            do throws(ConcordError) { try ZeroShotClassifier.check(template) } catch {
                throw ValidationError(error.message)
            }
        }
    }

    func run() throws {
        try unreadable.check()
        let labels = try ZeroShotClassifier.readLabels(labels)
        let model = try model.load()
        Message.warn(ofSpecialTokensIn: labels + templates, try model.textSide().tokenizer)
        let classifier = try ZeroShotClassifier(
            model: model, labels: labels,
            templates: templates.isEmpty ? ZeroShotClassifier.standardTemplates : templates,
            progress: Message.progress("labels", count: labels.count))
        Message.warn(
            ofTruncated: classifier.truncatedCount, of: labels.count * max(1, templates.count))
        let embedded = try model.embed(
            images.map(EmbeddingInput.image), isStrict: unreadable.strict,
            progress: Message.progress("images", count: images.count))
        let similarity = try Similarity(model: model, images: embedded.vectors, texts: classifier.weights)
        let rows = similarity.scored(images, skipped: embedded.skipped)
        if json {
            print(
                JSONValue.object(
                    [
                        .init("results", .array(rows.map { $0.json { report($0, labels) } })),
                        .init("probability", .string(similarity.probability.rawValue)),
                    ] + embedded.skippedMembers
                ).text())
        } else {
            for row in rows { if let found = row.row { print("\(row.path)\n\(found.table(labels, top: top))") } }
        }
        try unreadable.finish(embedded.skipped, of: images.count)
    }

    private func report(_ row: Similarity.Row, _ labels: [String]) -> [JSONValue.Member] {
        let best = row.ranking.prefix(top).map { index -> JSONValue in
            [
                "label": .string(labels[index]), "probability": .number(row.probabilities[index]),
                "logit": .number(row.logits[index]), "cosine": .number(row.cosines[index]),
            ]
        }
        return [.init("labels", .array(best))]
    }
}
