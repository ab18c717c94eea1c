import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordText
import Foundation

/// Captions many pictures into a file of JSON lines, one a picture in the order of the list, and goes on where it was
/// stopped.
///
/// Until all are done the lines are in `<output>.partial`, beside `<output>.partial.json`, which says what they were
/// made with. A picture is captioned in the same batch however often the work was interrupted, so the file comes out
/// the same.
public struct CaptionRun {
    /// What happened to the pictures.
    public struct Summary: Sendable, Hashable {
        /// Captioned by this call, and by calls before it that were stopped.
        public let captioned, earlier: Int
        /// Pictures that cannot be decoded; their lines have an `error`.
        public let failures: Int
        /// Whether Ctrl-C came before the last picture.
        public let isInterrupted: Bool
    }

    private let captioner: Captioner
    private let pictures: PictureList
    private let output: String
    private let prompt: [Int32]?
    private let options: GenerationOptions
    private let batchSize: Int
    /// What decides about the lines.
    private let settings: JSONValue

    private var partial: String { output + ".partial" }
    private var state: String { output + ".partial.json" }

    /// - Parameters:
    ///   - model: the folder that `captioner` is from; its weights tell whether earlier lines are of the same model.
    ///   - replaces: whether an output that is there, or the beginning of another, may be thrown away.
    /// - Throws: `.fileSystem` for an output that is there; `.invalidConfiguration` for the beginning of another output,
    ///   with what differs.
    public init(
        _ captioner: Captioner, model: String, pictures: PictureList, prompt: [Int32]?, options: GenerationOptions,
        output: String, batchSize: Int = 16, replaces: Bool = false
    ) throws {
        self.captioner = captioner
        self.pictures = pictures
        self.prompt = prompt
        self.options = options
        self.output = output
        self.batchSize = batchSize
        let weights = try CheckpointReader(path: ModelFolder(model).weights).files.map { file in
            JSONValue.string(try FileHash(.sha256, ofFile: file.file.path).hexadecimal)
        }
        settings = [
            "weights_sha256": .array(weights),
            "pictures_sha256": .string(
                FileHash(.sha256, of: Array(pictures.names.joined(separator: "\n").utf8)).hexadecimal),
            "pictures": .integer(pictures.names.count), "batch_size": .integer(batchSize),
            "prompt": .array((prompt ?? []).map { .integer(Int($0)) }), "options": .string("\(options)"),
        ]
        if replaces {
            for path in [output, partial, state] where Files.exists(path) && unlink(path) != 0 {
                throw ConcordError.system("remove", path)
            }
        }
        guard !Files.exists(output) else {
            throw ConcordError(.fileSystem, "\(output) is there already; name another file, or replace it with --force")
        }
        guard Files.exists(state) else { return }
        let saved = try JSONValue(parsing: Files.read(state, limit: 1 << 24), source: state)
        guard saved != settings else { return }
        let names = (settings.members ?? []).filter { saved[$0.name] != $0.value }.map(\.name)
        throw ConcordError(
            .invalidConfiguration,
            "\(partial) was begun with other settings (\(names.joined(separator: ", "))); give those again, name another "
                + "--output, or start over with --force")
    }

    /// Captions what is left, and gives the file its name.
    ///
    /// - Parameter shouldStop: asked after each batch.
    /// - Throws: `.fileSystem`, and what the model throws; lines written before stay.
    public func callAsFunction(
        progress: ProgressDisplay? = nil, shouldStop: () -> Bool = { InterruptSignal.hasArrived }
    ) throws -> Summary {
        let names = pictures.names
        // The settings first: lines without them would belong to nobody.
        if !Files.exists(state) {
            if Files.exists(partial), unlink(partial) != 0 { throw ConcordError.system("remove", partial) }
            try Files.replace(state, with: settings.text(pretty: true) + "\n")
        }
        let (done, earlierFailures) = try keepWholeBatches()
        let file = try AppendFile(path: partial, isNew: false)
        let batches = stride(from: done, to: names.count, by: batchSize).map { $0..<min($0 + batchSize, names.count) }
        let loader = PrefetchLoader(batches: 0..<batches.count) {
            [pictures, captioner = captioner.preprocessing] index in
            DecodedBatch(batches[index].map { pictures.path(of: names[$0]) }, captioner)
        }
        var failures = earlierFailures, end = done
        for range in batches {
            guard let batch = try loader.next() else { break }
            let captions = try captioner.captions(
                pixels: batch.pixels, count: batch.rows.count, prompt: prompt, options: options)
            failures += batch.failures.count
            try file.append(Self.lines(names[range], batch, captions))
            end = range.upperBound
            progress?.show(done: end, of: names.count)
            if end < names.count, shouldStop() {
                loader.stop()
                progress?.finish()
                return Summary(captioned: end - done, earlier: done, failures: failures, isInterrupted: true)
            }
        }
        loader.stop()
        progress?.finish()
        try file.synchronize()
        guard rename(partial, output) == 0 else { throw ConcordError.system("rename \(partial) to", output) }
        try Files.synchronizeFolder(Files.parent(of: output))
        _ = unlink(state)
        return Summary(captioned: end - done, earlier: done, failures: failures, isInterrupted: false)
    }

    /// Cuts off what a killed process left of a batch.
    ///
    /// - Returns: the pictures that are done, and how many of them could not be decoded.
    private func keepWholeBatches() throws -> (done: Int, failures: Int) {
        guard Files.exists(partial) else { return (0, 0) }
        let bytes = try Files.read(partial)
        let ends = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }
        let lines = min(ends.count, pictures.names.count)
        let kept = lines == pictures.names.count ? lines : lines / batchSize * batchSize
        let end = kept == 0 ? 0 : ends[kept - 1] + 1
        guard truncate(partial, off_t(end)) == 0 else { throw ConcordError.system("shorten", partial) }
        var start = 0, failures = 0
        for (row, lineEnd) in ends.prefix(kept).enumerated() {
            let line = try JSONValue(parsing: Array(bytes[start..<lineEnd]), source: "\(partial), line \(row + 1)")
            guard line["image"]?.string == pictures.names[row] else {
                throw ConcordError(
                    .invalidConfiguration,
                    "line \(row + 1) of \(partial) is not of \(pictures.names[row]); start over with --force")
            }
            if line["error"] != nil { failures += 1 }
            start = lineEnd + 1
        }
        return (kept, failures)
    }

    /// A line for each picture of a batch.
    private static func lines(
        _ names: ArraySlice<String>, _ batch: DecodedBatch, _ captions: [[GeneratedCaption]]
    ) -> [UInt8] {
        var members = [Int: [JSONValue.Member]]()
        for (row, found) in zip(batch.rows, captions) {
            members[row] =
                found.count == 1 ? found[0].members : [.init("captions", .array(found.map { .object($0.members) }))]
        }
        for failure in batch.failures { members[failure.row] = [.init("error", .string(failure.problem))] }
        let lines = names.enumerated().map { row, name in
            JSONValue.object([.init("image", .string(name))] + (members[row] ?? [])).text() + "\n"
        }
        return Array(lines.joined().utf8)
    }
}
