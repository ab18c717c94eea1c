import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordRuntime

/// Threads that decode the images of all models, so that decoding is never in the way of the models' runs.
final class DecodingPool: Sendable {
    /// The properties of an image before it is decoded.
    struct Inspection: Sendable {
        /// SHA-256 of the encoded bytes.
        let hash: String
        /// Width × height.
        let pixels: Int
    }

    /// An image that is ready, with the memory that it holds.
    struct Decoded: Sendable {
        let image: PreparedImage
        /// `nil` for an image that came from nobody.
        let grant: ByteBudget.Grant?
    }

    typealias Job = @Sendable () throws(ServingError) -> PreparedImage

    private let limits: ImageLimits
    private let budget: ByteBudget
    private let decoder: Batcher<Job, PreparedImage>
    /// Threads for work that takes a moment, but longer than Swift's pool should be blocked.
    private let inspector = WorkerThreads(count: 2, name: "concord-inspect")

    init(_ options: ServingOptions) {
        limits = options.imageLimits
        budget = ByteBudget(capacity: options.decodedBytes)
        var queue = options.queue
        queue.workers = options.decodingThreads
        decoder = Batcher(name: "decode", options: queue) { jobs, run throws(ServingError) in
            for (index, job) in jobs.enumerated() { run.finish(index, .success(try job())) }
        }
    }

    func admit(_ context: WorkContext) throws(ServingError) -> QueueSlot { try decoder.admit(context) }

    func check() -> String? { decoder.check() }

    func close() async { await decoder.close() }

    /// Does what takes a moment on a thread.
    func quickly<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await inspector.run(work)
    }

    /// Reads the header of an image. Throws `.invalidInput` for what is none, `.tooLarge` for one above the limits.
    func inspect(_ bytes: [UInt8], parameter: String?) async throws(ServingError) -> Inspection {
        guard bytes.count <= limits.maximumBytes else {
            throw ServingError(
                .tooLarge, "The picture has \(bytes.count) bytes; at most \(limits.maximumBytes) are allowed.")
        }
        var allowed = limits
        allowed.maximumPixels = .max
        let (hash, header) = try await inspector.run { [allowed] () throws(ServingError) in
            let header = try Self.translate(parameter) { () throws(ConcordError) in
                try bytes.withUnsafeBufferPointer { bytes throws(ConcordError) in
                    try ImageHeader(of: UnsafeRawBufferPointer(bytes), name: Self.name(parameter), limits: allowed)
                }
            }
            return (FileHash(.sha256, of: bytes).hexadecimal, header)
        }
        let (pixels, overflows) = header.width.multipliedReportingOverflow(by: header.height)
        guard !overflows && pixels <= limits.maximumPixels else {
            throw ServingError(
                .tooLarge,
                "The picture has \(header.width)×\(header.height) pixels; at most \(limits.maximumPixels) in all are "
                    + "allowed.")
        }
        guard pixels > 0 else {
            throw ServingError.invalid(parameter, "The picture has no pixels.")
        }
        return Inspection(hash: hash, pixels: pixels)
    }

    /// Decodes an image and makes it ready for a model.
    func prepare(
        _ bytes: [UInt8], _ inspection: Inspection, for model: ExportedModel, parameter: String?,
        ticket: QueueSlot, _ context: WorkContext
    ) async throws(ServingError) -> Decoded {
        // Three bytes a pixel, and as many while it is turned upright or resized.
        let grant = try await budget.acquire(inspection.pixels * 6)
        let limits = limits
        let job: Job = { () throws(ServingError) in
            try Self.translate(parameter) { () throws(ConcordError) in
                try bytes.withUnsafeBufferPointer { bytes throws(ConcordError) in
                    try model.prepare(
                        image: UnsafeRawBufferPointer(bytes), name: Self.name(parameter), limits: limits)
                }
            }
        }
        let image = try await decoder.run(job, ticket: ticket, context)
        grant.shrink(to: image.pixels.count * 4)
        return Decoded(image: image, grant: grant)
    }

    /// The name of an image in error texts.
    private static func name(_ parameter: String?) -> String { parameter.map { "`\($0)`" } ?? "sent" }

    private static func translate<Value>(
        _ parameter: String?, _ body: () throws(ConcordError) -> Value
    ) throws(ServingError) -> Value {
        do throws(ConcordError) {
            return try body()
        } catch {
            // Texts about images name no paths, and never libvips' own words.
            guard error.code == .invalidImage else {
                throw ServingError(.failed, "The picture could not be read.")
            }
            throw ServingError.invalid(parameter, error.message)
        }
    }
}
