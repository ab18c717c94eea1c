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

            Examples:
              concord similarity --model M --image cat.jpg --text "a cute cat" --text "a dog"
              concord similarity --model openai/clip-vit-base-patch32 --image cat.jpg --text "a cat" "a dog" --json
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures.")
    var images: [String]

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts.")
    var texts: [String]

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let model = try model.load()
        let (images, _) = try model.embed(
            self.images.map(EmbeddingInput.image), progress: Message.progress("pictures", count: self.images.count))
        let (texts, truncated) = model.embed(texts: texts)
        Message.warn(ofTruncated: truncated, of: self.texts.count)
        let similarity = try Similarity(model: model, images: images, texts: texts)
        if json {
            print(report(similarity).text())
        } else {
            for (path, row) in zip(self.images, similarity.rows) {
                print(self.images.count > 1 ? "\(path)\n\(row.table(self.texts))" : row.table(self.texts))
            }
        }
    }

    private func report(_ similarity: Similarity) -> JSONValue {
        let kind = JSONValue.Member("probability", .string(similarity.probability.rawValue))
        if images.count == 1, let row = similarity.rows.first { return .object(row.members + [kind]) }
        let results = zip(images, similarity.rows).map { path, row in
            JSONValue.object([.init("image", .string(path))] + row.members)
        }
        return .object([.init("results", .array(results)), kind])
    }
}
