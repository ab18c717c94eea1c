import ArgumentParser
import Concord

struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed", abstract: "Write the embeddings of texts, images or sounds to a file, as unit vectors.",
        discussion: """
            The output's extension selects its format: .safetensors (tensor `embeddings`), .npy or .jsonl. Rows are in
            input order. An --input file has one JSON object per line, {"text": …}, {"image": …} or {"audio": …}, and may
            have millions of lines. --data embeds the images of a data set, or of a folder without a caption file, and writes
            OUTPUT.rows.jsonl, which names the image of each row and is itself a valid --input file.

            An interrupted run resumes when the same command is run again. A file that cannot be read is skipped: its
            row is NaN (null in .jsonl), OUTPUT.skipped.jsonl lists it as {"index": …, "path": …, "reason": …}, with
            indices from 0, and the exit status is 1.

            --json prints:
              {"output": …, "rows": …, "width": …, "truncated_texts": …, "skipped_count": …, "skipped": […],
               "skipped_file": …}
            "skipped" has at most 1,000 entries, the file all of them. Rows of a caption file without a usable image
            have no row in the output; "skipped_rows" lists them.

            Examples:
              concord embed --model runs/emoji --text "red apple" --text "a dog" --output vectors.npy
              concord embed --model runs/emoji --image a.png --image b.png --output vectors.safetensors
              concord embed --model laion/clap-htsat-unfused --audio a.wav b.flac --output vectors.npy
              concord embed --model runs/emoji --input list.jsonl --output vectors.jsonl
              concord embed --model runs/emoji --data photos --output photos.npy
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts to embed.")
    var texts: [String] = []

    @OptionGroup var source: ImageSourceOptions

    @Option(name: .customLong("audio"), parsing: .upToNextOption, help: "Sound files: WAV, FLAC, Ogg or MP3.")
    var sounds: [String] = []

    @Option(help: "A file of texts, images and sounds, one JSON object per line.")
    var input: String?

    @Option(help: "The file to write: .safetensors, .npy or .jsonl.")
    var output: String

    @Flag(help: "Discard what an interrupted run has written for this output and start over.")
    var force = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        let given = [!texts.isEmpty, !source.images.isEmpty, !sounds.isEmpty, input != nil, source.data != nil]
        guard given.count(where: { $0 }) == 1 else {
            throw ValidationError("Give exactly one of --text, --image, --audio, --input and --data.")
        }
        guard source.split == nil || source.data != nil else { throw ValidationError("--split is for --data.") }
        guard EmbeddingFile.Format(path: output) != nil else {
            throw ValidationError("--output \(output): the extension must be .safetensors, .npy or .jsonl.")
        }
    }

    func run() throws {
        InterruptSignal.listen()
        try Files.checkIsWritable(output)
        let folder = try model.folder()
        let dataset = try source.dataset()
        let paths = dataset.map(\.imagePaths) ?? source.images
        let inputs =
            try input.map { try EmbeddingInputs(contentsOf: $0) }
            ?? EmbeddingInputs(
                texts.map(EmbeddingInput.text) + paths.map(EmbeddingInput.image) + sounds.map(EmbeddingInput.audio))
        let model = try model.load()
        if !texts.isEmpty { Message.warn(ofSpecialTokensIn: texts, try model.textSide().tokenizer) }
        let run = try EmbeddingRun(model, folder: folder, inputs: inputs, output: output, startsOver: force)
        let summary = try run.embed(
            isStrict: source.strict, progress: Message.progress("embedding", count: inputs.count),
            beforeEnd: { if dataset != nil { try writeRows(paths) } })
        if summary.earlier > 0 { Message.note("resumed after \(summary.earlier) inputs of an earlier run") }
        if summary.isInterrupted {
            let done = summary.earlier + summary.done
            Message.note("stopped after \(done) of \(inputs.count) inputs; run the same command to resume")
            throw ExitCode(130)
        }
        Message.warn(ofTruncated: summary.truncatedCount, of: inputs.textCount)
        let rows = dataset?.skipped ?? []
        let isImageMissing = rows.contains { $0.reason.isOfImage }
        if json { print(report(summary, inputs, width: model.encoder.embeddingWidth, run, skipped: rows).text()) }
        guard summary.skippedCount > 0 || isImageMissing else { return }
        if summary.skippedCount > 0 {
            Message.skipped(
                summary.skipped, count: summary.skippedCount, of: inputs.imageCount + inputs.audioCount,
                inputs.audioCount == 0 ? "image" : inputs.imageCount == 0 ? "sound" : "file", file: run.skippedFile)
        }
        throw ExitCode.failure
    }

    /// Writes the image of each row to `OUTPUT.rows.jsonl`.
    private func writeRows(_ paths: [String]) throws {
        try Files.replace(output + ".rows.jsonl") { file in
            for path in paths {
                try file.write(Array((JSONValue.object([.init("image", .string(path))]).text() + "\n").utf8))
            }
        }
    }

    private func report(
        _ summary: EmbeddingRun.Summary, _ inputs: EmbeddingInputs, width: Int, _ run: EmbeddingRun,
        skipped rows: [SkippedRow]
    ) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("output", .string(output)), .init("rows", .integer(inputs.count)), .init("width", .integer(width)),
            .init("truncated_texts", .integer(summary.truncatedCount)),
            .init("skipped_count", .integer(summary.skippedCount)),
            .init("skipped", .array(summary.skipped.map(\.json))),
            .init("skipped_file", summary.skippedCount > 0 ? .string(run.skippedFile) : .null),
        ]
        if !rows.isEmpty { members.append(.init("skipped_rows", .array(rows.map(\.json)))) }
        return .object(members)
    }
}
