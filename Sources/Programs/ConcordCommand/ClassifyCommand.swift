import ArgumentParser
import Concord

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify", abstract: "Say which label of a list fits a picture best, without training.",
        discussion: """
            Every label is put into every template in place of {}, and the vectors of a label's templates are averaged;
            several templates make the result steadier. The file of labels has one a line. Probabilities are those of
            `concord similarity`.

            With --json:
              {"results": [{"image": …, "labels": [{"label": …, "probability": …, "logit": …, "cosine": …}, …]}, …],
               "probability": "softmax"}
            A picture that cannot be read is left out, and the exit status is 1: it has an "error" in place of its
            labels, and "skipped" lists it as {"index": …, "path": …, "reason": …}.

            Examples:
              concord classify --model M --image a.jpg b.jpg --labels labels.txt
              concord classify --model M --image a.jpg --labels labels.txt --template "a photo of a {}" \\
                --template "a drawing of a {}" --top 3 --json
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures to classify.")
    var images: [String]

    @Option(help: "A text file with one label a line.")
    var labels: String

    @Option(
        name: .customLong("template"), parsing: .upToNextOption,
        help: "A text with {} where the label goes; may be repeated. Without one: \"a photo of a {}\".")
    var templates: [String] = []

    @Option(help: "How many labels to show for each picture.")
    var top = 5

    @OptionGroup var faults: PictureFaultOptions

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
        try faults.check()
        let labels = try ZeroShotClassifier.readLabels(labels), model = try model.load()
        Message.warn(ofSpecialTokensIn: labels + templates, try model.textSide().tokenizer)
        let classifier = try ZeroShotClassifier(
            model: model, labels: labels,
            templates: templates.isEmpty ? ZeroShotClassifier.standardTemplates : templates,
            progress: Message.progress("labels", count: labels.count))
        Message.warn(
            ofTruncated: classifier.truncatedCount, of: labels.count * max(1, templates.count))
        let pictures = try model.embed(
            images.map(EmbeddingInput.image), isStrict: faults.strict,
            progress: Message.progress("pictures", count: images.count))
        let similarity = try Similarity(model: model, images: pictures.vectors, texts: classifier.weights)
        let rows = similarity.pictures(images, leftOut: pictures.skipped)
        if json {
            print(
                JSONValue.object(
                    [
                        .init("results", .array(rows.map { $0.json { report($0, labels) } })),
                        .init("probability", .string(similarity.probability.rawValue)),
                    ] + pictures.skippedMembers
                ).text())
        } else {
            for row in rows { if let found = row.row { print("\(row.path)\n\(found.table(labels, top: top))") } }
        }
        try faults.finish(pictures.skipped, of: images.count)
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
