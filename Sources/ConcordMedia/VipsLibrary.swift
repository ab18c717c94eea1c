import CVips
import ConcordCore
import ConcordPlatform

/// The state that libvips keeps for the whole process.
enum VipsLibrary {
    /// Starts libvips, the first time. Throws `.unavailable` where it does not start.
    static func start() throws(ConcordError) {
        guard isStarted else {
            throw ConcordError(.unavailable, "libvips does not start; install libvips 8.13 or newer")
        }
    }

    private static let isStarted: Bool = {
        guard vips_init("concord") == 0 else { return false }
        vips_block_untrusted_set(1)
        // Flagged as untrusted, and read nevertheless where ``ImageLimits/formats`` has them: no file reaches a loader
        // but by ``ImageFormat``, so that nothing else opens them.
        vips_operation_block_set("VipsForeignLoadJp2k", 0)
        vips_operation_block_set("VipsForeignLoadJxl", 0)
        // Each picture is read once, and the callers' threads are the parallelism.
        vips_cache_set_max(0)
        vips_concurrency_set(1)
        // Damage is reported as errors; libvips would also print it to standard error.
        g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING, { _, _, message, _ in countWarnings(message) }, nil)
        return true
    }()

    /// The warnings about pixel data that libjpeg gave on this thread since this was set to 0. A damaged JPEG decodes
    /// with warnings only, and the log is the one place where libvips tells their number.
    static var pixelWarnings: Int {
        get { Int(bitPattern: pthread_getspecific(warningsKey)) }
        set { pthread_setspecific(warningsKey, UnsafeMutableRawPointer(bitPattern: newValue)) }
    }

    /// The thread's count is stored in the pointer itself.
    private static let warningsKey: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    private static func countWarnings(_ message: UnsafePointer<CChar>?) {
        guard let message else { return }
        let words = String(cString: message).split(separator: " ")
        guard words.count == 4, words[0] == "read", words[1] == "gave", let count = Int(words[2]) else { return }
        // The header is read twice, once alone and once before the pixels, and both readers log their warnings when
        // they are closed: what is left of the difference is about the pixels.
        pixelWarnings = abs(pixelWarnings - count)
    }
}
