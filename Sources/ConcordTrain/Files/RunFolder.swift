import ConcordCore
import Foundation

/// The places of a training run's files. Once training has ended the folder is a model folder too.
public struct RunFolder: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// One JSON object a logged step.
    public var metrics: String { path + "/metrics.jsonl" }
    /// Rows and images that could not be used.
    public var skipped: String { path + "/skipped.jsonl" }
    /// Curves, retrieval tables and example queries.
    public var report: String { path + "/report.html" }
    /// The recipe as it was run.
    public var recipe: String { path + "/recipe.yaml" }
    /// One folder a checkpoint.
    public var checkpoints: String { path + "/checkpoints" }
    /// TensorBoard event files.
    public var events: String { path + "/events" }
    /// The tokenizer that was trained for the run, there from its first step on.
    public var tokenizer: String { path + "/tokenizer.json" }
    /// Written last, once the model is complete.
    public var manifest: String { path + "/concord.json" }

    package var isFinished: Bool { Files.exists(manifest) }
}

/// An exclusive lock on a run's folder. The system releases it when the process dies.
///
/// A run that fails before it writes anything leaves nothing behind: neither the lock, nor a folder that it made.
final class RunLock {
    private let folder: String
    private let path: String
    private let isNewFolder: Bool
    private let descriptor: Int32

    /// Makes the folder, if it is not there.
    ///
    /// - Throws: `.fileSystem`; `.invalidConfiguration` when another process trains in the folder.
    init(_ folder: RunFolder) throws(ConcordError) {
        self.folder = folder.path
        path = folder.path + "/.lock"
        isNewFolder = !Files.exists(folder.path)
        while true {
            try Files.makeFolder(folder.path)
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            // The folder may have been removed by a run that failed.
            if descriptor < 0 && errno == ENOENT { continue }
            guard descriptor >= 0 else { throw .system("create", path) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                close(descriptor)
                throw ConcordError(
                    .invalidConfiguration,
                    "another process trains in \(folder.path); wait for it, or choose another --output")
            }
            // So may the file, before it was locked; a lock on that would keep nobody out.
            var locked = stat(), named = stat()
            if fstat(descriptor, &locked) == 0, stat(path, &named) == 0, locked.st_ino == named.st_ino {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    deinit {
        // While it is locked, so that no other run starts in a folder that goes.
        if (try? FileManager.default.contentsOfDirectory(atPath: folder)) == [".lock"], unlink(path) == 0,
            isNewFolder
        {
            rmdir(folder)
        }
        close(descriptor)
    }
}
