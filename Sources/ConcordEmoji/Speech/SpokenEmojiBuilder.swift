import ConcordCore
import ConcordData
import ConcordMedia
import Foundation
import Synchronization

/// Builds the emoji data set with sounds: the names of the pictures, spoken by espeak-ng and flite, and recordings of
/// people where their packages are installed.
///
/// Beside what ``EmojiDatasetBuilder`` writes, the folder holds `sounds/<voice>/*.flac` (16 kHz, one channel) and
/// `sounds.tsv`, a row a clip. What a run has spoken is kept: a run that was stopped goes on where it was, and one with
/// more voices adds theirs. The same programs give the same sounds.
public struct SpokenEmojiBuilder: Sendable {
    /// The part of the work that is shown.
    public enum Phase: Sendable, Hashable {
        case drawing, speaking
    }

    /// The pictures and captions.
    public var pictures: EmojiDatasetBuilder
    /// Voices of espeak-ng to train on; those of flite, and those to test with, come on top.
    public var voiceCount: Int
    /// Where programs are looked for; nil takes the folders of `PATH`.
    package var programFolders: [String]?
    /// Seconds that one clip may take.
    package var clipTimeout = 30.0
    /// Whether recordings of people are added where they are installed.
    package var addsRecordings = true

    public static let sampleRate = 16_000
    static let table = "sounds.tsv"

    public init(pictures: EmojiDatasetBuilder = .init(), voiceCount: Int = 12) {
        self.pictures = pictures
        self.voiceCount = voiceCount
    }

    /// Builds the data set in `folder`, or completes it.
    ///
    /// - Parameter progress: called after each picture and clip with the number done, the total, and how many of them
    ///   were there before; from several threads, one call at a time.
    /// - Throws: what ``EmojiDatasetBuilder/build(to:progress:)`` throws; `.unavailable` for a program that is missing,
    ///   with its package, and for one that fails; `.invalidConfiguration` for voices and languages that there are not.
    @discardableResult
    public func build(
        to folder: String, progress: @escaping @Sendable (Phase, Int, Int, Int) -> Void = { _, _, _, _ in }
    ) throws -> SpokenEmojiSummary {
        let pictures = try pictures.plan()
        let plan = try EmojiSpeechPlan(pictures, languages: self.pictures.languages, voiceCount: voiceCount)
        let programs = try programs(for: plan)
        let recordings = addsRecordings ? try HumanRecordings.find() : []
        let drawn = EmojiDatasetSummary(plan: pictures, languages: self.pictures.languages, size: self.pictures.size)
        if !Self.holds(folder, drawn) {
            try self.pictures.build(to: folder) { progress(.drawing, $0, $1, 0) }
        }

        let total = plan.clips.count + recordings.count
        for voice in plan.voices { try Files.makeFolder("\(folder)/sounds/\(voice.name)") }
        for recording in recordings { try Files.makeFolder("\(folder)/\(Files.parent(of: recording.path))") }
        let journal = try SpeechJournal(folder: folder)
        let pool = SpeechPool(folder: folder, journal: journal, total: total) { progress(.speaking, $0, $1, $2) }
        try pool.make(plan.clips, path: \.path, key: Self.key) { clip throws(ConcordError) in
            guard let program = programs[clip.voice.engine] else {
                preconditionFailure("no program \(clip.voice.name)")
            }
            return try program.clip(clip.arguments)
        }
        try pool.make(recordings, path: \.path, key: Self.key, skipsUnreadable: true) {
            recording throws(ConcordError) in
            try AudioDecoder.read(recording.file)
        }
        let rows =
            plan.clips.compactMap { clip in journal[clip.path].map { SoundRow(clip, $0) } }
            + recordings.compactMap { recording in journal[recording.path].map { SoundRow(recording, $0) } }
        let summary = SpokenEmojiSummary(pictures: drawn, rows: rows, unreadable: pool.unreadable)
        try Files.replace("\(folder)/\(Self.table)", with: SoundRow.header + rows.map(\.line).joined())
        try Files.replace(folder + "/dataset.json", with: summary.json.text(pretty: true) + "\n")
        return summary
    }

    private func programs(
        for plan: EmojiSpeechPlan
    ) throws(ConcordError) -> [SpeechVoice.Engine: ExternalProgram] {
        var programs: [SpeechVoice.Engine: ExternalProgram] = [:]
        for engine in SpeechVoice.Engine.allCases where plan.voices.contains(where: { $0.engine == engine }) {
            var limits = ExternalProgram.Limits()
            limits.seconds = clipTimeout
            programs[engine] = try ExternalProgram(
                engine.rawValue, purpose: "speaks the names for --speech",
                folders: programFolders ?? ExternalProgram.searchFolders, limits: limits)
        }
        return programs
    }

    /// Whether the folder holds these very pictures and captions.
    private static func holds(_ folder: String, _ pictures: EmojiDatasetSummary) -> Bool {
        guard let bytes = try? Files.read(folder + "/dataset.json", limit: 1 << 20),
            let members = try? JSONValue(parsing: bytes, source: "dataset.json").members,
            Files.exists(folder + "/captions.jsonl")
        else { return false }
        return JSONValue.object(members.filter { $0.name != "speech" }) == pictures.json
    }

    private static func key(_ clip: EmojiSpeechPlan.Clip) -> String {
        ([clip.voice.engine.rawValue] + clip.arguments).joined(separator: " ")
    }

    private static func key(_ recording: HumanRecording) -> String { recording.file }
}

/// What a clip became.
struct SpokenClip: Sendable, Hashable {
    /// Samples, at 16 kHz.
    let frames: Int
    /// Bytes of the file.
    let bytes: Int
}

/// Makes clips on a few threads, and writes them.
private final class SpeechPool: Sendable {
    private let folder: String
    private let journal: SpeechJournal
    private let total: Int
    private let progress: @Sendable (Int, Int, Int) -> Void
    private let state = Mutex(State())

    private struct State {
        var next = 0
        var done = 0
        var doneBefore = 0
        var failure: ConcordError?
        var unreadable: [String] = []
    }

    init(
        folder: String, journal: SpeechJournal, total: Int, progress: @escaping @Sendable (Int, Int, Int) -> Void
    ) {
        self.folder = folder
        self.journal = journal
        self.total = total
        self.progress = progress
    }

    /// The files that no sound could be read from.
    var unreadable: [String] { state.withLock { $0.unreadable } }

    /// Makes the clips that are not there yet.
    ///
    /// - Parameters:
    ///   - path: where the clip goes.
    ///   - key: all that the clip depends on.
    ///   - skipsUnreadable: whether a clip that cannot be made is left out; otherwise it ends the work.
    func make<Item: Sendable>(
        _ items: [Item], path: @escaping @Sendable (Item) -> String, key: @escaping @Sendable (Item) -> String,
        skipsUnreadable: Bool = false, sound: @escaping @Sendable (Item) throws(ConcordError) -> AudioClip
    ) throws {
        let missing = items.filter { !journal.holds(path($0), key: key($0)) }
        state.withLock { state in
            state.next = 0
            state.done += items.count - missing.count
            state.doneBefore += items.count - missing.count
            progress(state.done, total, state.doneBefore)
        }
        let threads = min(max(1, missing.count), ProcessInfo.processInfo.activeProcessorCount)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while let index = take(of: missing.count) {
                let item = missing[index]
                do throws(ConcordError) {
                    let file = folder + "/" + path(item)
                    let clip = try sound(item).resampled(to: SpokenEmojiBuilder.sampleRate)
                    let bytes = try AudioWriter.flac(clip)
                    // Without a wait for the disk, of which there are too many: the journal knows what is whole.
                    guard (try? Data(bytes).write(to: URL(fileURLWithPath: file))) != nil else {
                        throw ConcordError(.fileSystem, "cannot write \(file); check the disk")
                    }
                    let made = SpokenClip(frames: clip.samples.count, bytes: bytes.count)
                    try journal.add(path(item), key: key(item), made)
                } catch {
                    state.withLock { state in
                        if skipsUnreadable, error.code != .fileSystem {
                            state.unreadable.append(path(item))
                        } else {
                            state.failure = state.failure ?? error
                        }
                    }
                }
                state.withLock { state in
                    guard state.failure == nil else { return }
                    state.done += 1
                    progress(state.done, total, state.doneBefore)
                }
            }
        }
        try journal.flush()
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func take(of count: Int) -> Int? {
        state.withLock { state in
            guard state.failure == nil, state.next < count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }
}
