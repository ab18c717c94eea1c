import ConcordCore

/// Keeps other processes and threads from a blob while it is written, by the lock file that huggingface_hub uses, too.
/// The system lets go when a process is killed. The file stays: removing it would split those who wait.
final class HubLock {
    private let descriptor: Int32

    /// Waits for the lock.
    ///
    /// - Parameter waiting: called once if another one has it.
    /// - Throws: `.fileSystem`.
    init(_ path: String, waiting: () -> Void) throws(ConcordError) {
        try Files.makeFolder(Files.parent(of: path))
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system("create", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0 else { return }
        if errno == EWOULDBLOCK { waiting() }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let error = ConcordError.system("lock", path)
                close(descriptor)
                throw error
            }
        }
    }

    deinit { close(descriptor) }
}
