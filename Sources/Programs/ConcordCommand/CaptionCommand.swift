import ArgumentParser
import Concord
import Foundation

struct CaptionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "caption", abstract: "Write captions of pictures with a CoCa.",
        discussion: """
            A picture that cannot be read gets an error instead of a caption, the others are captioned all the same,
            and the exit status is 1.

            With --data all pictures of a data set, or of a folder without a caption file, are captioned into --output,
            one JSON object a line. Stopped at any moment, the same command goes on where it was.

            Examples:
              concord caption --model runs/emoji-coca --image a.png b.png
              concord caption --model runs/emoji-coca --image a.png --strategy sample --top-p 0.9 --results 3 --json
              concord caption --model runs/emoji-coca --image a.png --prompt "red" --stream
              concord caption --model runs/emoji-coca --data data/emoji --output captions.jsonl
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var generation: GenerationArguments

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures to caption.")
    var images: [String] = []

    @Option(name: .customLong("data"), help: "A data set, or a folder of pictures.")
    var data: String?

    @Option(help: "Only pictures of this split of the data set.")
    var split: String?

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Option(help: "The file for the captions of --data, .jsonl.")
    var output: String?

    @Option(help: "Pictures that are captioned at once.")
    var batchSize = 16

    @Option(help: "Threads of the model; 0 takes all processors.")
    var threads = 0

    @Flag(help: "Stop at the first picture that cannot be read.")
    var strict = false

    @Flag(help: "Replace an --output that is there, or begun.")
    var force = false

    @Flag(help: "Write each caption token by token.")
    var stream = false

    @Flag(help: "Print one JSON object a picture: image, caption, tokens, log_probability.")
    var json = false

    func validate() throws {
        guard images.isEmpty != (data == nil) else { throw ValidationError("Give either --image or --data.") }
        guard batchSize > 0 else { throw ValidationError("--batch-size is \(batchSize); it is 1 at least.") }
        if data != nil {
            guard output != nil else { throw ValidationError("Name the --output file for the captions of --data.") }
            if stream || json { throw ValidationError("--stream and --json are for --image.") }
        } else if output != nil || split != nil || force {
            throw ValidationError("--output, --split and --force are for --data.")
        }
        guard stream else { return }
        if generation.strategy == .beam {
            throw ValidationError(
                "A search with beams knows its tokens only at the end; use --strategy greedy or sample with --stream.")
        }
        if generation.results > 1 || json { throw ValidationError("--stream writes one caption, as plain text.") }
    }

    func run() throws {
        if threads > 0 { TorchRuntime.threadCount = threads }
        _ = try model.folder()
        try generation.check()
        let pictures = try pictures()
        if let output { try Files.checkIsWritable(output) }
        let captioner = try Captioner(model.load())
        let options = try generation.options(for: captioner, default: stream ? .greedy : .beam)
        let prompt = try generation.prompt(for: captioner)
        if let pictures, let output { return try captionAll(pictures, captioner, prompt, options, to: output) }
        var failures = 0
        for start in stride(from: 0, to: images.count, by: batchSize) {
            let paths = images[start..<min(start + batchSize, images.count)]
            var pictures = [(path: String, image: Image)]()
            for path in paths {
                do { pictures.append((path, try Image(contentsOf: path))) } catch {
                    if strict { throw error }
                    failures += 1
                    report(path, error)
                }
            }
            if stream {
                for picture in pictures { try write(picture.path, picture.image, captioner, prompt, options) }
            } else {
                let found = try captioner.captions(of: pictures.map(\.image), prompt: prompt, options: options)
                for (picture, captions) in zip(pictures, found) { write(picture.path, captions) }
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

    /// What tells captions apart where there are several.
    private func prefix(_ path: String) -> String { images.count > 1 ? path + ": " : "" }

    /// The pictures of --data.
    private func pictures() throws -> CaptionDataset? {
        guard let data else { return nil }
        let dataset = try CaptionDataset(
            imagesAt: data, options: file.options(maximumSkippedFraction: strict ? 0 : 1))
        Message.notes(of: dataset)
        return try dataset.images(ofSplit: split)
    }

    private func captionAll(
        _ pictures: CaptionDataset, _ captioner: Captioner, _ prompt: [Int32]?, _ options: GenerationOptions,
        to output: String
    ) throws {
        InterruptSignal.listen()
        let run = try CaptionRun(
            captioner, model: model.location.path(), images: pictures, prompt: prompt, options: options,
            output: output, batchSize: batchSize, replaces: force)
        let summary = try run(isStrict: strict, progress: ProgressDisplay(label: "picture"))
        if summary.earlier > 0 { Message.note("\(summary.earlier) pictures had been captioned before") }
        if summary.isInterrupted {
            Message.note(
                "stopped after \(summary.earlier + summary.captioned) of \(pictures.items.count) pictures; the same "
                    + "command goes on")
            throw ExitCode(130)
        }
        print("captions: \(output)")
        if summary.failures > 0 {
            Message.warn(["\(summary.failures) pictures could not be read; their lines say why"])
        }
        guard summary.failures == 0, !pictures.skipped.contains(where: { $0.reason.isOfImage }) else {
            throw ExitCode.failure
        }
    }
}
