/// Threads of the operating system, for work that would block Swift's cooperative pool.
package enum SystemThread {
    /// Starts a thread that does the work, and returns at once.
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
                "could not create another thread (\(String(cString: strerror(status)))); raise the limit "
                    + "of `ulimit -u`, or of the container's processes, or end other programs")
        }
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    /// As ``start(name:_:)``, for threads without which nothing works: if none can be created, the program ends with the error.
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

/// A lock that threads can wait with, until another says that something has changed.
///
/// `@unchecked Sendable`: the two objects of the system stay where they are, and are made for use by several threads.
package final class Condition: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        #if canImport(Darwin)
            pthread_cond_init(condition, nil)
        #else
            // So that nobody waits longer because the clock on the wall is set back.
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func lock() { pthread_mutex_lock(mutex) }

    package func unlock() { pthread_mutex_unlock(mutex) }

    /// Runs the body while nobody else holds the lock.
    package func locked<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Gives the lock up until there is news, or by chance earlier. The caller holds the lock.
    package func wait() { pthread_cond_wait(condition, mutex) }

    /// As ``wait()``, but not longer than a time; false when that is over. The caller holds the lock.
    package func wait(for time: Duration) -> Bool {
        let (seconds, attoseconds) = max(time, .zero).components
        #if canImport(Darwin)
            var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            return pthread_cond_timedwait_relative_np(condition, mutex, &left) == 0
        #else
            var end = timespec()
            clock_gettime(CLOCK_MONOTONIC, &end)
            let nanoseconds = end.tv_nsec + Int(attoseconds / 1_000_000_000)
            end.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
            end.tv_nsec = nanoseconds % 1_000_000_000
            return pthread_cond_timedwait(condition, mutex, &end) == 0
        #endif
    }

    /// Wakes one thread that waits.
    package func signal() { pthread_cond_signal(condition) }

    /// Wakes all threads that wait.
    package func broadcast() { pthread_cond_broadcast(condition) }
}
