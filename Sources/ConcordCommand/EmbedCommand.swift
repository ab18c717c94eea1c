import ArgumentParser
import Concord

struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed", abstract: "Write the unit vectors of texts or pictures to a file.",
        discussion: """
            The output's ending chooses its form: .safetensors (tensor `embeddings`), .npy, or .jsonl. Rows stand in
            the order of the input. An --input file has one object a line, {"text": …} or {"image": …}.

            Examples:
              concord embed --model runs/emoji --text "red apple" --text "a dog" --output vectors.npy
              concord embed --model runs/emoji --image a.png --image b.png --output vectors.safetensors
              concord embed --model runs/emoji --input list.jsonl --output vectors.jsonl
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts to embed.")
    var texts: [String] = []

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures to embed.")
    var images: [String] = []

    @Option(help: "A file with one JSON object a line.")
    var input: String?

    @Option(help: "The file to write: .safetensors, .npy or .jsonl.")
    var output: String

    func validate() throws {
        let given = [!texts.isEmpty, !images.isEmpty, input != nil].count { $0 }
        guard given == 1 else { throw ValidationError("Give one of --text, --image and --input.") }
        guard EmbeddingFile.Format(path: output) != nil else {
            throw ValidationError("--output \(output): the ending must be .safetensors, .npy or .jsonl.")
        }
    }

    func run() throws {
        let items: [EmbeddingInput] =
            try input.map(EmbeddingInput.read) ?? (texts.map(EmbeddingInput.text) + images.map(EmbeddingInput.image))
        let model = try model.load()
        let (vectors, truncated) = try model.embed(items, progress: Message.progress("embedding", count: items.count))
        try EmbeddingFile.write(vectors, to: output)
        Message.warn(ofTruncated: truncated, of: items.count)
    }
}
