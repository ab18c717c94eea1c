import ConcordCore
import Foundation

/// Keeps a second process out of a run's folder for as long as it lives; the system lets go when a process is killed.
final class RunLock {
    private let descriptor: Int32

    /// Throws `.invalidConfiguration` when another process trains in the folder.
    init(_ folder: RunFolder) throws(ConcordError) {
        let path = folder.path + "/.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("create", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw ConcordError(
                .invalidConfiguration,
                "another process trains in \(folder.path); wait for it, or choose another --output")
        }
    }

    deinit { close(descriptor) }
}
