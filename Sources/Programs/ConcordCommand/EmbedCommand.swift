import ArgumentParser
import Concord

struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed", abstract: "Write the unit vectors of texts or pictures to a file.",
        discussion: """
            The output's ending chooses its form: .safetensors (tensor `embeddings`), .npy, or .jsonl. Rows stand in
            the order of the input. An --input file has one object a line, {"text": …} or {"image": …}; it may have
            millions of lines. With --data the pictures of a data set, or of a folder without a caption file, are
            embedded, and OUTPUT.rows.jsonl names the picture of each row, as an --input file does.

            A picture that cannot be read is left out: its row is NaN (null in .jsonl), OUTPUT.skipped.jsonl lists it as
            {"index": …, "path": …, "reason": …}, the index from 0, and the exit status is 1. Stopped at any moment, the
            same command goes on where it was.

            With --json:
              {"output": …, "rows": …, "width": …, "truncated_texts": …, "skipped_count": …, "skipped": […],
               "skipped_file": …}
            where "skipped" has at most 1,000 entries, the file all of them. Rows of a caption file that name no usable
            picture have no row in the output; "skipped_rows" lists them.

            Examples:
              concord embed --model runs/emoji --text "red apple" --text "a dog" --output vectors.npy
              concord embed --model runs/emoji --image a.png --image b.png --output vectors.safetensors
              concord embed --model runs/emoji --input list.jsonl --output vectors.jsonl
              concord embed --model runs/emoji --data photos --output photos.npy
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("text"), parsing: .upToNextOption, help: "Texts to embed.")
    var texts: [String] = []

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures to embed.")
    var images: [String] = []

    @Option(help: "A file with one JSON object a line.")
    var input: String?

    @Option(name: .customLong("data"), help: "A data set, or a folder of pictures.")
    var data: String?

    @Option(help: "Only pictures of this split of the data set.")
    var split: String?

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Option(help: "The file to write: .safetensors, .npy or .jsonl.")
    var output: String

    @Flag(help: "Stop at the first picture that cannot be read.")
    var strict = false

    @Flag(help: "Throw away what an earlier run has begun for this output.")
    var force = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        let given = [!texts.isEmpty, !images.isEmpty, input != nil, data != nil].count { $0 }
        guard given == 1 else { throw ValidationError("Give one of --text, --image, --input and --data.") }
        guard split == nil || data != nil else { throw ValidationError("--split is for --data.") }
        guard EmbeddingFile.Format(path: output) != nil else {
            throw ValidationError("--output \(output): the ending must be .safetensors, .npy or .jsonl.")
        }
    }

    func run() throws {
        InterruptSignal.listen()
        try Files.checkIsWritable(output)
        let folder = try model.folder(), pictures = try pictures()
        let paths = pictures.map { pictures in pictures.items.map(pictures.path(of:)) } ?? images
        let inputs =
            try input.map { try EmbeddingInputs(contentsOf: $0) }
            ?? EmbeddingInputs(texts.map(EmbeddingInput.text) + paths.map(EmbeddingInput.image))
        let model = try model.load()
        if !texts.isEmpty { Message.warn(ofSpecialTokensIn: texts, try model.textSide().tokenizer) }
        let run = try EmbeddingRun(model, folder: folder, inputs: inputs, output: output, startsOver: force)
        let summary = try run(
            isStrict: strict, progress: Message.progress("embedding", count: inputs.count),
            beforeEnd: { if pictures != nil { try writeRows(paths) } })
        if summary.earlier > 0 { Message.note("\(summary.earlier) inputs had been embedded before") }
        if summary.isInterrupted {
            Message.note(
                "stopped after \(summary.earlier + summary.done) of \(inputs.count) inputs; the same command goes on")
            throw ExitCode(130)
        }
        Message.warn(ofTruncated: summary.truncatedCount, of: inputs.count - inputs.imageCount)
        let rows = pictures?.skipped ?? [], isRowLost = rows.contains { $0.reason.isOfImage }
        if json { print(report(summary, inputs, width: model.encoder.embeddingWidth, run, skipped: rows).text()) }
        guard summary.skippedCount > 0 || isRowLost else { return }
        if summary.skippedCount > 0 {
            Message.leftOut(summary.skipped, count: summary.skippedCount, of: inputs.imageCount, file: run.skippedFile)
        }
        throw ExitCode.failure
    }

    /// The pictures of --data.
    private func pictures() throws -> CaptionDataset? {
        guard let data else { return nil }
        let dataset = try CaptionDataset(
            imagesAt: data, options: file.options(maximumSkippedFraction: strict ? 0 : 1))
        Message.notes(of: dataset)
        return try dataset.images(ofSplit: split)
    }

    /// Names the picture of each row.
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
