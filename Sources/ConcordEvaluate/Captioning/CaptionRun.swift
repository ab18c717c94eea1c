import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordText
import Foundation

/// Captions many images into a file of JSON lines, one an image in the order of the data set, and goes on where it was
/// stopped.
///
/// Until all are done the lines are in `<output>.partial`, beside `<output>.partial.json`, which says what they were
/// made with. An image is captioned in the same batch however often the work was interrupted, so the file comes out
/// the same.
package struct CaptionRun {
    /// The outcome for the images.
    package struct Summary: Sendable, Hashable {
        /// Captioned by this call, and by calls before it that were stopped.
        package let captioned, earlier: Int
        /// Images that cannot be decoded; their lines have an `error`.
        package let failures: Int
        /// Whether Ctrl-C came before the last image.
        package let isInterrupted: Bool
    }

    private let captioner: Captioner
    private let images: CaptionDataset
    private let output: ResumableOutput
    private let prompt: [Int32]?
    private let options: GenerationOptions
    private let batchSize: Int

    private var names: [String] { images.items.compactMap(\.image) }

    /// - Parameters:
    ///   - model: the folder that `captioner` is from; its weights tell whether earlier lines are of the same model.
    ///   - replaces: whether an output that is there, or the beginning of another, may be thrown away.
    /// - Throws: `.fileSystem` for an output that is there; `.invalidConfiguration` for the beginning of another output,
    ///   with what differs.
    package init(
        _ captioner: Captioner, model: String, images: CaptionDataset, prompt: [Int32]?, options: GenerationOptions,
        output: String, batchSize: Int = 16, replaces: Bool = false
    ) throws {
        self.captioner = captioner
        self.images = images
        self.prompt = prompt
        self.options = options
        self.batchSize = batchSize
        if replaces { try ResumableOutput.remove(output) }
        guard !Files.exists(output) else {
            throw ConcordError(.fileSystem, "\(output) already exists; name another file, or use --force to replace it")
        }
        let names = images.items.compactMap(\.image)
        self.output = try ResumableOutput(
            output,
            settings: [
                "weights": try ResumableOutput.weightHashes(model),
                "pictures_sha256": .string(
                    FileHash(.sha256, of: Array(names.joined(separator: "\n").utf8)).hexadecimal),
                "pictures": .integer(names.count), "batch_size": .integer(batchSize),
                "prompt": .array((prompt ?? []).map { .integer(Int($0)) }), "options": .string("\(options)"),
            ], startsOver: replaces)
    }

    /// Captions what is left, and gives the file its name.
    ///
    /// - Parameters:
    ///   - isStrict: whether an image that cannot be decoded is an error; the lines before it stay.
    ///   - shouldStop: asked after each batch.
    /// - Throws: `.fileSystem`, and what the model throws; lines written before stay.
    package func caption(
        isStrict: Bool = false, progress: ProgressDisplay? = nil,
        shouldStop: () -> Bool = { InterruptSignal.hasArrived }
    ) throws -> Summary {
        let names = names, file = try output.open()
        let (done, earlierFailures) = try keepWholeBatches(file)
        let batches = stride(from: done, to: names.count, by: batchSize).map { $0..<min($0 + batchSize, names.count) }
        let loader = PrefetchLoader(batches: 0..<batches.count) {
            [images, captioner = captioner.preprocessing] index in
            DecodedBatch(batches[index].map { images.path(ofFile: names[$0]) }, captioner)
        }
        var failures = earlierFailures, end = done
        for range in batches {
            guard let batch = try loader.next() else { break }
            if isStrict, let failure = batch.failures.first { throw failure.error }
            let captions = try captioner.captions(
                pixels: batch.pixels, count: batch.rows.count, prompt: prompt, options: options)
            failures += batch.failures.count
            try file.append(Self.lines(names[range], batch, captions))
            end = range.upperBound
            progress?.show(done: end, of: names.count, doneBefore: done)
            if end < names.count, shouldStop() {
                loader.stop()
                progress?.finish()
                return Summary(captioned: end - done, earlier: done, failures: failures, isInterrupted: true)
            }
        }
        loader.stop()
        progress?.finish()
        try output.finish(file)
        return Summary(captioned: end - done, earlier: done, failures: failures, isInterrupted: false)
    }

    /// Cuts off what a killed process left of a batch.
    ///
    /// - Returns: the images that are done, and how many of them could not be decoded.
    private func keepWholeBatches(_ file: AppendFile) throws -> (done: Int, failures: Int) {
        let names = names, reader = try LineReader(path: file.path)
        var kept = (count: 0, failures: 0, length: 0), failures = 0
        while reader.number < names.count, let bytes = try reader.next(), reader.isWhole {
            let number = reader.number, name = names[number - 1]
            let line = try JSONValue(parsing: bytes, source: "\(file.path), line \(number)")
            guard line["image"]?.string == name else {
                throw ConcordError(
                    .invalidConfiguration,
                    "line \(number) of \(file.path) does not belong to \(name); start over with --force")
            }
            if line["error"] != nil { failures += 1 }
            if number.isMultiple(of: batchSize) || number == names.count { kept = (number, failures, reader.offset) }
        }
        try file.shorten(to: kept.length)
        return (kept.count, kept.failures)
    }

    /// A line for each image of a batch.
    private static func lines(
        _ names: ArraySlice<String>, _ batch: DecodedBatch, _ captions: [[GeneratedCaption]]
    ) -> [UInt8] {
        var members = [Int: [JSONValue.Member]]()
        for (row, found) in zip(batch.rows, captions) {
            members[row] =
                found.count == 1 ? found[0].members : [.init("captions", .array(found.map { .object($0.members) }))]
        }
        for failure in batch.failures { members[failure.row] = [.init("error", .string(failure.error.message))] }
        let lines = names.enumerated().map { row, name in
            JSONValue.object([.init("image", .string(name))] + (members[row] ?? [])).text() + "\n"
        }
        return Array(lines.joined().utf8)
    }
}
