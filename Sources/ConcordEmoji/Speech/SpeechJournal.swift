import ConcordCore
import Foundation
import Synchronization

/// Which clips of a data set are made, and of what: a file to which a line is added for each.
///
/// A clip whose line was not written yet when a run was stopped is made anew.
final class SpeechJournal: Sendable {
    private let folder, file: String
    private let state: Mutex<State>

    private struct State {
        var clips: [String: (key: UInt64, clip: SpokenClip)] = [:]
        var unwritten = ""
        var unwrittenCount = 0
    }

    /// Reads the journal of a data set; one that is not there is empty.
    init(folder: String) throws(ConcordError) {
        self.folder = folder
        file = folder + "/sounds/journal.tsv"
        var state = State()
        if Files.exists(file) {
            for line in String(decoding: try Files.read(file), as: UTF8.self).split(separator: "\n") {
                // The last line may be cut short, by a full disk.
                let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
                guard fields.count == 4, let key = UInt64(fields[1], radix: 16), let frames = Int(fields[2]),
                    let bytes = Int(fields[3])
                else { continue }
                state.clips[String(fields[0])] = (key, SpokenClip(frames: frames, bytes: bytes))
            }
        }
        self.state = Mutex(state)
    }

    subscript(path: String) -> SpokenClip? { state.withLock { $0.clips[path]?.clip } }

    /// Whether a clip was made of the same, and its file is there whole.
    func holds(_ path: String, key: String) -> Bool {
        guard let known = state.withLock({ $0.clips[path] }) else { return false }
        return known.key == SpeechHash.of(key) && Files.size(folder + "/" + path) == known.clip.bytes
    }

    func add(_ path: String, key: String, _ clip: SpokenClip) throws(ConcordError) {
        let hash = SpeechHash.of(key)
        let isDue = state.withLock { state in
            state.clips[path] = (hash, clip)
            state.unwritten += "\(path)\t\(String(hash, radix: 16))\t\(clip.frames)\t\(clip.bytes)\n"
            state.unwrittenCount += 1
            return state.unwrittenCount >= 64
        }
        if isDue { try flush() }
    }

    /// Writes the lines that are not written yet.
    func flush() throws(ConcordError) {
        let failure: ConcordError? = state.withLock { state in
            let descriptor = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { return ConcordError.system("open", file) }
            defer { close(descriptor) }
            let bytes = Array(state.unwritten.utf8)
            guard write(descriptor, bytes, bytes.count) == bytes.count else {
                return ConcordError.system("write", file)
            }
            state.unwritten = ""
            state.unwrittenCount = 0
            return nil
        }
        if let failure { throw failure }
    }
}
