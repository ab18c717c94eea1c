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
        let labels = try ZeroShotClassifier.readLabels(labels), model = try model.load()
        let classifier = try ZeroShotClassifier(
            model: model, labels: labels,
            templates: templates.isEmpty ? ZeroShotClassifier.standardTemplates : templates,
            progress: Message.progress("labels", count: labels.count))
        Message.warn(
            ofTruncated: classifier.truncatedCount, of: labels.count * max(1, templates.count))
        let (vectors, _) = try model.embed(
            images.map(EmbeddingInput.image), progress: Message.progress("pictures", count: images.count))
        let similarity = try Similarity(model: model, images: vectors, texts: classifier.weights)
        if json {
            let results = zip(images, similarity.rows).map { path, row in report(path, row, labels) }
            let kind = JSONValue.string(similarity.probability.rawValue)
            print(JSONValue.object([.init("results", .array(results)), .init("probability", kind)]).text())
        } else {
            for (path, row) in zip(images, similarity.rows) { print("\(path)\n\(row.table(labels, top: top))") }
        }
    }

    private func report(_ path: String, _ row: Similarity.Row, _ labels: [String]) -> JSONValue {
        let best = row.ranking.prefix(top).map { index -> JSONValue in
            [
                "label": .string(labels[index]), "probability": .number(row.probabilities[index]),
                "logit": .number(row.logits[index]), "cosine": .number(row.cosines[index]),
            ]
        }
        return ["image": .string(path), "labels": .array(best)]
    }
}
