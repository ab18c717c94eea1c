import ArgumentParser
import Concord
import Foundation

struct CaptionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "caption", abstract: "Caption images with a CoCa model.",
        discussion: """
            --data captions all images of a data set, or of a folder without a caption file, and writes one JSON object
            per image to --output. An interrupted run resumes when the same command is run again.

            An image that cannot be read gets an error instead of a caption; the others are still captioned, and the
            exit status is 1.

            Examples:
              concord caption --model runs/emoji-coca --image a.png b.png
              concord caption --model runs/emoji-coca --image a.png --strategy sample --top-p 0.9 --results 3 --json
              concord caption --model runs/emoji-coca --image a.png --prompt "red" --stream
              concord caption --model runs/emoji-coca --data data/emoji --output captions.jsonl
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var generation: GenerationArguments

    @OptionGroup var source: ImageSourceOptions

    @Option(help: "The .jsonl file for the captions of --data.")
    var output: String?

    @Option(help: "Number of images captioned at once.")
    var batchSize = 16

    @Option(help: "Number of threads for the model (0: all processors).")
    var threads = 0

    @Flag(help: "Replace an existing or unfinished --output.")
    var force = false

    @Flag(help: "Print each caption token by token as it is generated.")
    var stream = false

    @Flag(help: "Print one JSON object per image: image, caption, tokens, log_probability.")
    var json = false

    func validate() throws {
        guard source.images.isEmpty != (source.data == nil) else {
            throw ValidationError("Give either --image or --data.")
        }
        guard batchSize > 0 else { throw ValidationError("--batch-size is \(batchSize); it must be at least 1.") }
        if source.data != nil {
            guard output != nil else { throw ValidationError("--data needs an --output file for the captions.") }
            if stream || json { throw ValidationError("--stream and --json work only with --image.") }
        } else if output != nil || source.split != nil || force {
            throw ValidationError("--output, --split and --force work only with --data.")
        }
        guard stream else { return }
        if generation.settings.strategy(default: .greedy) == .beam {
            throw ValidationError(
                "Beam search chooses its tokens only at the end; use --strategy greedy or sample with --stream.")
        }
        if generation.results > 1 || json {
            throw ValidationError(
                "--stream prints one caption per image, as plain text; it excludes --results and --json.")
        }
    }

    func run() throws {
        if threads > 0 { TorchRuntime.threadCount = threads }
        _ = try model.folder()
        try generation.check()
        let dataset = try source.dataset()
        if let output { try Files.checkIsWritable(output) }
        let captioner = try Captioner(model.load())
        let options = try generation.options(for: captioner, default: stream ? .greedy : .beam)
        let prompt = try generation.prompt(for: captioner)
        if let dataset, let output { return try captionAll(dataset, captioner, prompt, options, to: output) }
        var failures = 0
        for start in stride(from: 0, to: source.images.count, by: batchSize) {
            let paths = source.images[start..<min(start + batchSize, source.images.count)]
            var batch = [(path: String, image: Image)]()
            for path in paths {
                do { batch.append((path, try Image(contentsOf: path))) } catch {
                    if source.strict { throw error }
                    failures += 1
                    report(path, error)
                }
            }
            if stream {
                for (path, image) in batch { try write(path, image, captioner, prompt, options) }
            } else {
                let found = try captioner.captions(of: batch.map(\.image), prompt: prompt, options: options)
                for (image, captions) in zip(batch, found) { write(image.path, captions) }
            }
        }
        if failures > 0 { throw ExitCode.failure }
    }

    private func report(_ path: String, _ error: any Error) {
        if json {
            print(JSONValue.object([.init("image", .string(path)), .init("error", .string("\(error)"))]).text())
        } else {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
        }
    }

    private func write(_ path: String, _ captions: [GeneratedCaption]) {
        for caption in captions {
            print(
                json
                    ? JSONValue.object([.init("image", .string(path))] + caption.members).text()
                    : prefix(path) + caption.text)
        }
    }

    private func write(
        _ path: String, _ image: Image, _ captioner: Captioner, _ prompt: [Int32]?, _ options: GenerationOptions
    ) throws {
        FileHandle.standardOutput.write(Data(prefix(path).utf8))
        _ = try captioner.stream(image, prompt: prompt, options: options) { piece in
            FileHandle.standardOutput.write(Data(piece.utf8))
        }
        FileHandle.standardOutput.write(Data("\n".utf8))
    }

    /// The image's path before its caption, if there are several images.
    private func prefix(_ path: String) -> String { source.images.count > 1 ? path + ": " : "" }

    private func captionAll(
        _ dataset: CaptionDataset, _ captioner: Captioner, _ prompt: [Int32]?, _ options: GenerationOptions,
        to output: String
    ) throws {
        InterruptSignal.listen()
        let run = try CaptionRun(
            captioner, model: model.location.path(), images: dataset, prompt: prompt, options: options,
            output: output, batchSize: batchSize, replaces: force)
        let summary = try run.caption(isStrict: source.strict, progress: ProgressDisplay(label: "captioning"))
        if summary.earlier > 0 { Message.note("resumed after \(summary.earlier) images of an earlier run") }
        if summary.isInterrupted {
            let done = summary.earlier + summary.captioned
            Message.note("stopped after \(done) of \(dataset.imagePaths.count) images; run the same command to resume")
            throw ExitCode(130)
        }
        print("captions: \(output)")
        if summary.failures > 0 {
            Message.warn([
                "\(summary.failures) of \(dataset.imagePaths.count) images could not be read; see their lines in \(output)"
            ])
        }
        guard summary.failures == 0, !dataset.skipped.contains(where: { $0.reason.isOfImage }) else {
            throw ExitCode.failure
        }
    }
}
