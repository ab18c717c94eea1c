import CAllocator
import ConcordCore

/// Settings of the C library's allocator for a service.
enum ProcessMemory {
    /// Returns the memory of large bodies and images to the system once they are answered, however large others were, and
    /// keeps one heap for each processor. By default there are up to eight, each with gaps that only its own threads fill,
    /// and buffers of up to 32 MiB stay in them. Variables of the environment win.
    ///
    /// The few buffers of less than 1 MiB that each image needs stay in the heaps: pages that the system has to clear
    /// for each of them took a tenth of the time of int8 embeddings.
    static func staysSmall() {
        #if canImport(Glibc)
            let environment = ProcessInfo.processInfo.environment
            if environment["MALLOC_MMAP_THRESHOLD_"] == nil { mallopt(M_MMAP_THRESHOLD, 1 << 20) }
            if environment["MALLOC_ARENA_MAX"] == nil { mallopt(M_ARENA_MAX, Int32(clamping: CPUCount.available)) }
        #endif
    }
}
