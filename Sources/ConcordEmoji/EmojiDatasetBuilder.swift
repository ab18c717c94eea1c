import ConcordCore
import ConcordData
import ConcordMedia
import Foundation
import Synchronization

/// Builds an image–caption dataset from what the system installs: the pictures of the Noto colour emoji font, with
/// names and keywords from Unicode CLDR.
///
/// The folder holds `images/*.png`, `captions.jsonl` (one row a picture), `skipped.jsonl` (what was not drawn and why)
/// and `dataset.json` (counts and sources). The same font and CLDR give the same bytes.
public struct EmojiDatasetBuilder: Sendable {
    /// Languages of the captions, as CLDR names them.
    public var languages: [String]
    /// Side of the pictures in pixels.
    public var size: Int
    /// The font file; nil looks where the system puts it.
    public var fontPath: String?
    /// CLDR's folder `common`; nil looks where the system puts it.
    public var annotationsFolder: String?
    /// When given, only these emoji are drawn.
    public var only: [String]?

    public init(
        languages: [String] = ["en", "zh"], size: Int = 128, fontPath: String? = nil,
        annotationsFolder: String? = nil, only: [String]? = nil
    ) {
        self.languages = languages
        self.size = size
        self.fontPath = fontPath
        self.annotationsFolder = annotationsFolder
        self.only = only
    }

    /// Which pictures the dataset will hold, without drawing them.
    ///
    /// Throws `.unavailable` when the font, CLDR or a language is not there, `.malformedText` when CLDR is damaged.
    public func plan() throws(ConcordError) -> EmojiDatasetPlan { try planAndRenderer().plan }

    private func planAndRenderer() throws(ConcordError) -> (plan: EmojiDatasetPlan, renderer: GlyphRenderer) {
        guard !languages.isEmpty, (8...1024).contains(size) else {
            throw ConcordError(
                .invalidConfiguration,
                "an emoji dataset needs at least one language and a size of 8 to 1024 pixels, got languages "
                    + "[\(languages.joined(separator: ", "))] and size \(size)")
        }
        let font: String
        if let fontPath { font = fontPath } else { font = try GlyphRenderer.findFont() }
        let folder: String
        if let annotationsFolder { folder = annotationsFolder } else { folder = try CLDRAnnotations.findFolder() }
        var annotations: [CLDRAnnotations] = []
        for language in languages { annotations.append(try CLDRAnnotations(language: language, folder: folder)) }
        let renderer = try GlyphRenderer(fontPath: font)
        // English decides which emoji there are, so that the pictures do not depend on the languages.
        let plan = EmojiDatasetPlan(
            english: try CLDRAnnotations(language: "en", folder: folder), annotations: annotations, renderer: renderer,
            only: only.map { $0.map(EmojiSequence.init) })
        return (plan, renderer)
    }

    /// Builds the dataset in `folder`.
    ///
    /// It is built beside the folder and renamed at the end, so that an error or a crash leaves no half dataset. An
    /// earlier emoji dataset there is replaced; any other folder that is not empty is left alone, and refused.
    ///
    /// - Parameter progress: called after each picture with the number done and the total, from several threads, one
    ///   call at a time.
    /// - Throws: what `plan()` throws, `.invalidDataset` for a folder that holds something else, `.fileSystem`.
    @discardableResult
    public func build(
        to folder: String, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) throws -> EmojiDatasetSummary {
        try Self.checkIsReplaceable(folder)
        let (plan, renderer) = try planAndRenderer()
        let target = URL(fileURLWithPath: folder).standardizedFileURL.path
        let temporary = target + ".tmp-\(getpid())"
        do {
            try Files.makeFolder(temporary + "/images")
            try draw(plan, renderer, into: temporary, progress: progress)
            let summary = EmojiDatasetSummary(plan: plan, languages: languages, size: size)
            try Files.replace(temporary + "/captions.jsonl", with: Self.captionRows(plan))
            try Files.replace(temporary + "/skipped.jsonl", with: Self.skippedRows(plan))
            try Files.replace(temporary + "/dataset.json", with: summary.json.text(pretty: true) + "\n")
            try Self.move(temporary, to: target)
            return summary
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw error
        }
    }

    private func draw(
        _ plan: EmojiDatasetPlan, _ renderer: GlyphRenderer, into folder: String,
        progress: @escaping @Sendable (Int, Int) -> Void
    ) throws {
        let state = Mutex<(done: Int, failure: (any Error)?)>((0, nil))
        DispatchQueue.concurrentPerform(iterations: plan.entries.count) { index in
            guard state.withLock({ $0.failure == nil }) else { return }
            let entry = plan.entries[index]
            do {
                let png = try renderer.png(of: entry.glyph, size: size)
                try Data(png).write(to: URL(fileURLWithPath: "\(folder)/\(entry.image)"))
                state.withLock {
                    $0.done += 1
                    progress($0.done, plan.entries.count)
                }
            } catch {
                state.withLock { $0.failure = $0.failure ?? error }
            }
        }
        if let failure = state.withLock({ $0.failure }) {
            guard !(failure is ConcordError) else { throw failure }
            throw ConcordError(
                .fileSystem, "cannot write an image to \(folder): \(failure.localizedDescription); check the disk")
        }
        try Files.synchronizeFolder(folder + "/images")
    }

    private static func captionRows(_ plan: EmojiDatasetPlan) -> String {
        plan.entries.map { entry in
            let captions = entry.captions.map { caption in
                JSONValue.object(
                    [.init("text", .string(caption.text))]
                        + [("language", caption.language), ("kind", caption.kind)].compactMap { name, value in
                            value.map { .init(name, .string($0)) }
                        })
            }
            let row: JSONValue = [
                "image": .string(entry.image), "emoji": .string(entry.sequence.text),
                "split": .string(entry.sequence.split), "captions": .array(captions),
            ]
            return row.text() + "\n"
        }.joined()
    }

    private static func skippedRows(_ plan: EmojiDatasetPlan) -> String {
        plan.skipped.map { skipped in
            let row: JSONValue = [
                "emoji": .string(skipped.sequence.text), "codePoints": .string(skipped.sequence.codePoints),
                "reason": .string(skipped.reason), "detail": .string(skipped.detail),
            ]
            return row.text() + "\n"
        }.joined()
    }

    private static func checkIsReplaceable(_ folder: String) throws(ConcordError) {
        guard Files.exists(folder) else { return }
        let contents = try? FileManager.default.contentsOfDirectory(atPath: folder)
        if contents?.isEmpty == true { return }
        let description = try? JSONValue(
            parsing: Files.read(folder + "/dataset.json", limit: 1 << 20), source: "dataset.json")
        guard description?["format"]?.string == EmojiDatasetSummary.format else {
            throw ConcordError(
                .invalidDataset,
                "\(folder) is not empty and not an emoji dataset; name a new folder, or remove this one")
        }
    }

    /// Puts `source` in the place of `target`. Between the two renames the earlier dataset stands beside it.
    private static func move(_ source: String, to target: String) throws {
        let earlier = target + ".old-\(getpid())"
        if Files.exists(target) {
            guard rename(target, earlier) == 0 else { throw ConcordError.system("move aside", target) }
        }
        guard rename(source, target) == 0 else {
            let failure = ConcordError.system("rename \(source) to", target)
            rename(earlier, target)
            throw failure
        }
        try Files.synchronizeFolder(Files.parent(of: target))
        if Files.exists(earlier) { try FileManager.default.removeItem(atPath: earlier) }
    }
}
