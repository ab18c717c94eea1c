import CAllocator
import ConcordCore
import ConcordPlatform

/// What a service asks of the C library's allocator.
enum ProcessMemory {
    /// Has the memory of bodies and pictures go back to the system once they are answered, however large others were before,
    /// and keeps one heap for each processor. By default there are up to eight, each with gaps that only its own threads
    /// fill, and buffers of up to 32 MiB stay in them. Variables of the environment win.
    static func staysSmall() {
        #if canImport(Glibc)
            let environment = ProcessInfo.processInfo.environment
            if environment["MALLOC_MMAP_THRESHOLD_"] == nil { mallopt(M_MMAP_THRESHOLD, 256 << 10) }
            if environment["MALLOC_ARENA_MAX"] == nil { mallopt(M_ARENA_MAX, Int32(clamping: Processors.available)) }
        #endif
    }
}
