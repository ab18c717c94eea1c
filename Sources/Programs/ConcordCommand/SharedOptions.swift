import ArgumentParser
import Concord
import Foundation

/// The model, named by its folder or its name on a hub.
struct ModelFolderOptions: ParsableArguments {
    @Option(
        name: .customLong("model"),
        help: "A model folder, such as a finished run, or OWNER/NAME[@REVISION] as downloaded by `concord pull`."
    )
    var model: String

    /// The model's folder.
    func path() throws -> String { try ModelLocation.folder(model) }

    /// The folder of a model whose weights are needed: an exported one is an error.
    func weightsPath() throws -> String {
        let path = try path()
        guard !Files.exists(path + "/" + ArtifactManifest.fileName) else {
            throw ConcordError(
                .invalidConfiguration,
                "\(path) is an exported model, which only `concord serve` and concord-server run; name the folder of "
                    + "the model it was exported from")
        }
        return path
    }
}

/// The model and the device it runs on.
struct ModelOptions: ParsableArguments {
    @OptionGroup var location: ModelFolderOptions

    @Option(help: "Device that runs the model: cpu, cuda, cuda:N or mps.")
    var device = "cpu"

    /// The model's folder, after the checks that take no time: call it before anything slow.
    func folder() throws -> String {
        _ = try Device(device).checked()
        return try location.weightsPath()
    }

    /// Loads the model and prints its notes as warnings.
    func load() throws -> EmbeddingModel {
        let model = try EmbeddingModel.load(folder(), device: Device(device))
        Message.warn(model.notes)
        return model
    }
}

/// Notes, warnings and progress on standard error.
enum Message {
    /// A progress bar for `count` items; nil for so few that it would vanish unread.
    static func progress(_ label: String, count: Int) -> ProgressDisplay? {
        count > 32 ? ProgressDisplay(label: label) : nil
    }

    static func warn(_ notes: [String]) {
        for text in notes { note("warning: \(text)") }
    }

    static func note(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    /// Prints how a data set was read and which rows cannot be used.
    static func notes(of dataset: CaptionDataset) {
        for text in dataset.notes { note("note: \(text)") }
        guard !dataset.skipped.isEmpty else { return }
        warn(
            [
                "skipped in the \(dataset.rowCount) rows of \(dataset.captionFile): "
                    + SkippedRow.summary(dataset.skipped)
            ])
    }

    /// Warns about skipped images or sounds; of many, it names the first ten.
    static func skipped(
        _ first: [SkippedInput], count: Int, of total: Int, _ noun: String = "image", file: String? = nil
    ) {
        for input in first.prefix(10) { warn(["skipped \(noun) \(input.index): \(input.reason)"]) }
        let more = count > 10 ? ", \(count - 10) of them not named here" : ""
        warn(["skipped \(count) of \(total) \(noun)s\(more)" + (file.map { "; \($0) lists them all" } ?? "")])
    }

    /// Warns about texts that contain the name of a special token.
    static func warn(ofSpecialTokensIn texts: [String], _ tokenizer: any Tokenizer) {
        let found = texts.compactMap { tokenizer.specialTokens(in: $0).first }
        guard let first = found.first else { return }
        warn([
            "\(found.count) of \(texts.count) texts contain a special token, the first `\(first)`; it is read as that "
                + "token, as in other libraries, not as ordinary text"
        ])
    }

    /// Warns about texts that were truncated, if any were.
    static func warn(ofTruncated count: Int, of total: Int) {
        guard count > 0 else { return }
        warn(["\(count) of \(total) texts were truncated to the model's context length"])
    }
}

/// How to read a caption file.
struct CaptionFileArguments: ParsableArguments {
    @Option(
        help:
            "Column or JSON member that names the image (default: image, filepath, file_name, filename or image_path).")
    var imageColumn: String?

    @Option(
        name: .customLong("caption-column"),
        help: "Column or JSON member with captions; may be repeated (default: caption, captions, text or title).")
    var captionColumns: [String] = []

    @Option(help: "Column separator of a table: , ; | or tab (default: detected).")
    var separator: String?

    @Flag(help: "Allow images outside the caption file's folder.")
    var allowOutsideImages = false

    func validate() throws {
        do throws(ConcordError) { _ = try separator.map(CaptionFileOptions.separator) } catch {
            throw ValidationError(error.message)
        }
    }

    func options(maximumSkippedFraction: Double) throws -> CaptionFileOptions {
        var options = CaptionFileOptions()
        options.imageColumn = imageColumn
        options.captionColumns = captionColumns.isEmpty ? nil : captionColumns
        options.separator = try separator.map(CaptionFileOptions.separator)
        options.allowsImagesOutsideFolder = allowOutsideImages
        options.maximumSkippedFraction = maximumSkippedFraction
        return options
    }
}

/// How many unusable rows and images a command accepts.
struct SkippingOptions: ParsableArguments {
    @Option(help: "Stop if more than this fraction of the rows or images is unusable.")
    var maximumSkippedFraction = 0.1

    @Flag(help: "Stop at the first unusable row or image; the same as --maximum-skipped-fraction 0.")
    var strict = false

    var limit: Double { strict ? 0 : maximumSkippedFraction }

    func validate() throws {
        guard (0...1).contains(maximumSkippedFraction) else {
            throw ValidationError("--maximum-skipped-fraction is \(maximumSkippedFraction); it must be in 0…1.")
        }
    }
}

/// The data set.
struct DataOptions: ParsableArguments {
    @Option(name: .customLong("data"), help: "A folder with captions.jsonl, .tsv or .csv, or the caption file itself.")
    var path: String

    @OptionGroup var file: CaptionFileArguments
    @OptionGroup var skipping: SkippingOptions

    @Option(help: "Write the skipped rows and images to this file, one JSON object per line.")
    var skipped: String?

    /// Reads the data set.
    ///
    /// - Parameter needsCaptions: whether a folder without a caption file is an error.
    func load(needsCaptions: Bool) throws -> CaptionDataset {
        if let skipped { try Files.checkIsWritable(skipped) }
        let options = try file.options(maximumSkippedFraction: skipping.limit)
        let dataset =
            try needsCaptions
            ? CaptionDataset(contentsOf: path, options: options) : CaptionDataset(imagesAt: path, options: options)
        Message.notes(of: dataset)
        return dataset
    }

    /// Everything that was skipped: rows of the caption file, then images.
    private func skippedEntries(_ dataset: CaptionDataset, _ gallery: ImageGallery) -> [JSONValue] {
        dataset.skipped.map(\.json) + gallery.skipped.map(\.json)
    }

    /// The JSON member `skipped`, if anything was.
    func skippedMembers(_ dataset: CaptionDataset, _ gallery: ImageGallery) -> [JSONValue.Member] {
        let entries = skippedEntries(dataset, gallery)
        return entries.isEmpty ? [] : [.init("skipped", .array(entries))]
    }

    /// Writes the list of skipped items if asked to, and fails if an image was skipped.
    func finish(_ dataset: CaptionDataset, _ gallery: ImageGallery) throws {
        if let skipped {
            try Files.replace(skipped, with: skippedEntries(dataset, gallery).map { $0.text() + "\n" }.joined())
        }
        let isImageSkipped = !gallery.skipped.isEmpty || dataset.skipped.contains { $0.reason.isOfImage }
        if isImageSkipped { throw ExitCode.failure }
    }
}

/// The images or sounds of a command that compares them with texts.
struct MediaOptions: ParsableArguments {
    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Image files.")
    var images: [String] = []

    @Option(name: .customLong("audio"), parsing: .upToNextOption, help: "Sound files: WAV, FLAC, Ogg or MP3.")
    var sounds: [String] = []

    func validate() throws {
        guard images.isEmpty != sounds.isEmpty else { throw ValidationError("Give either --image or --audio.") }
    }

    var paths: [String] { sounds.isEmpty ? images : sounds }
    var modality: Modality { sounds.isEmpty ? .image : .audio }
    /// One of them, for messages.
    var noun: String { sounds.isEmpty ? "image" : "sound" }

    /// Embeds the files; those that cannot be read are left out, unless `isStrict`.
    func embed(_ model: EmbeddingModel, isStrict: Bool) throws -> EmbeddedInputs {
        try model.embed(
            images.map(EmbeddingInput.image) + sounds.map(EmbeddingInput.audio), isStrict: isStrict,
            progress: Message.progress(noun + "s", count: paths.count))
    }

    /// The similarity of the files' vectors and those of texts.
    func similarity(_ model: EmbeddingModel, _ vectors: Tensor, texts: Tensor) throws -> Similarity {
        try sounds.isEmpty
            ? Similarity(model: model, images: vectors, texts: texts)
            : Similarity(model: model, sounds: vectors, texts: texts)
    }
}

/// How a command treats unreadable images or sounds among those named on the command line.
struct UnreadableMediaOptions: ParsableArguments {
    @Flag(help: "Stop at the first image or sound that cannot be read.")
    var strict = false

    @Option(help: "Write the skipped images or sounds to this file, one JSON object per line.")
    var skipped: String?

    /// Checks that the list can be written: call it before anything slow.
    func check() throws { if let skipped { try Files.checkIsWritable(skipped) } }

    /// Reports what was skipped on standard error and in the file, and fails if there is any.
    func finish(_ inputs: [SkippedInput], of count: Int, _ noun: String) throws {
        if let skipped { try Files.replace(skipped, with: inputs.map { $0.json.text() + "\n" }.joined()) }
        guard !inputs.isEmpty else { return }
        Message.skipped(inputs, count: inputs.count, of: count, noun)
        throw ExitCode.failure
    }
}

/// The images of `concord embed` and `concord caption`: named one by one, or those of a data set.
struct ImageSourceOptions: ParsableArguments {
    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Image files.")
    var images: [String] = []

    @Option(name: .customLong("data"), help: "A data set, or a folder of images.")
    var data: String?

    @Option(help: "Only images of this split of the data set.")
    var split: String?

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Flag(help: "Stop at the first image that cannot be read.")
    var strict = false

    /// Reads the data set of `--data`; nil without one.
    func dataset() throws -> CaptionDataset? {
        guard let data else { return nil }
        let dataset = try CaptionDataset(imagesAt: data, options: file.options(maximumSkippedFraction: strict ? 0 : 1))
        Message.notes(of: dataset)
        return try dataset.images(ofSplit: split)
    }
}

/// Words of commands that are printed for the user to copy.
enum ShellWord {
    /// The word, quoted for a POSIX shell where it needs to be.
    static func quoted(_ word: String) -> String {
        let isPlain = word.allSatisfy { $0.isLetter || $0.isNumber || "_-./=,:@%+".contains($0) }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
