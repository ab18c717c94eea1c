import ConcordPlatform

/// Threads of the system, for work that would hold up Swift's cooperative pool.
package enum SystemThread {
    /// Has a new thread do the work, and returns at once.
    ///
    /// - Parameter name: what debuggers and `top -H` show, of which Linux keeps 15 bytes.
    /// - Throws: `.unavailable` when the process may have no more threads.
    package static func start(
        name: String, _ work: sending @escaping () -> Void
    ) throws(ConcordError) {
        let body = Unmanaged.passRetained(Body(name: name, work: work))
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let status = pthread_create(&thread, nil, run, body.toOpaque())
        guard status == 0 else {
            body.release()
            throw ConcordError(
                .unavailable,
                "the system gives the process no thread more (\(String(cString: strerror(status)))); raise the limit "
                    + "of `ulimit -u`, or of the container's processes, or end other programs")
        }
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    /// The same for threads without which nothing goes on: where the system gives none, the program ends, saying so.
    package static func startOrEnd(name: String, _ work: sending @escaping () -> Void) {
        do { try start(name: name, work) } catch { fatalError(error.message) }
    }

    private final class Body {
        let name: String
        let work: () -> Void

        init(name: String, work: @escaping () -> Void) {
            self.name = name
            self.work = work
        }
    }

    #if canImport(Darwin)
        private static let run: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = { context in
            let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
            pthread_setname_np(body.name)
            body.work()
            return nil
        }
    #else
        private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
            guard let context else { return nil }
            let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
            setName(body.name)
            body.work()
            return nil
        }

        /// As `pthread_setname_np`, which Swift's module of the C library leaves out.
        private static func setName(_ name: String) {
            let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return }
            defer { close(descriptor) }
            var name = name
            name.withUTF8 { _ = write(descriptor, $0.baseAddress, $0.count) }
        }
    #endif
}
